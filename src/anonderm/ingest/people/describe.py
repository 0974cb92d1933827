"""The descriptor of the largest face on each photo, worked out once and kept in a journal."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.dlib_faces import FIVE_POINTS, IDENTITY, DlibFaces, DlibIdentity, load_dlib, model_path
from anonderm.core.files import append_line, read_json_lines
from anonderm.core.processes import in_order
from anonderm.core.progress import Bar
from anonderm.ingest.sources.photo import Photo

_FEW = 16  # photos that are not worth starting more processes


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
    known = {row["stamp"]: row for row in read_json_lines(journal)}
    todo = [photo for photo in photos if photo.place.stamp not in known]
    bar.advance(len(photos) - len(todo))
    processes = 1 if len(todo) <= _FEW else None
    for photo, text in zip(todo, in_order(_start, todo, processes), strict=True):
        row: dict[str, Any] = {"stamp": photo.place.stamp, "descriptor": text}
        append_line(journal, json.dumps(row, ensure_ascii=False))
        known[row["stamp"]] = row
        bar.advance()
    return [_decoded(known[photo.place.stamp]["descriptor"]) for photo in photos]


class _Describer:
    def __init__(self) -> None:
        self._faces, self._identity = DlibFaces(), DlibIdentity()

    def __call__(self, photo: Photo) -> str | None:
        photo_HWC = photo.pixels()
        faces = self._faces.find(photo_HWC)
        if not faces:
            return None
        return b64encode(self._identity.describe(photo_HWC, faces[0]).tobytes()).decode()


def _start() -> _Describer:
    return _Describer()


def _decoded(text: str | None) -> NDArray[np.float32] | None:
    return None if text is None else np.frombuffer(b64decode(text), np.float32)
