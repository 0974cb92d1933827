"""The descriptor of the largest face on each photo, worked out once and kept in a journal."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.core.progress import Bar
from anonderm.embeddings.dlib_faces import FIVE_POINTS, IDENTITY, DlibPerson, load_dlib, model_path
from anonderm.embeddings.journal import Journal
from anonderm.ingest.sources.photo import Photo


def need_models() -> None:
    """Raises MissingExtra before any work is done."""
    load_dlib()
    for name in (FIVE_POINTS, IDENTITY):
        model_path(name)


def describe(photos: Sequence[Photo], journal: Path, bar: Bar) -> list[NDArray[np.float32] | None]:
    """float32 [128] for each photo, None where it shows no face; about 0.12 s a photo and core.

    Photos that `journal` knows are not looked at again. Raises MissingExtra, MissingPath, UnreadableImage or
    ProcessLost.
    """
    return Journal(journal).rows(photos, [photo.place.stamp for photo in photos], _Describer, bar)


class _Describer:
    def __init__(self) -> None:
        self._person = DlibPerson()

    def __call__(self, photo: Photo) -> NDArray[np.float32] | None:
        return self._person.describe(photo.pixels())
