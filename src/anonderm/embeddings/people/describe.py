"""The dlib descriptor of the largest face on each photo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anonderm.core.files import sha256_bytes
from anonderm.core.images import Pixels
from anonderm.core.progress import Bar
from anonderm.core.threads import in_order
from anonderm.embeddings.dlib_faces import DlibPerson, dlib_digest
from anonderm.embeddings.store import Store, describe_each


class Picture(Protocol):
    """A photo, wherever it is stored. Both methods raise MissingPath or UnreadableImage."""

    def read(self) -> bytes: ...

    def pixels(self) -> Pixels: ...


def describe(photos: Sequence[Picture], bar: Bar) -> NDArray[np.float32]:
    """float32 [N, 128], NaN for a photo without a face; about 0.12 s a photo and core, unless it is stored.

    Raises MissingExtra, MissingPath, UnreadableImage or ProcessLost.
    """
    keys = list(in_order(lambda photo: sha256_bytes(photo.read()), photos))
    return describe_each(Store("dlib", dlib_digest(), (128,)), photos, keys, _Describer, bar)


class _Describer:
    def __init__(self) -> None:
        self._person = DlibPerson()

    def __call__(self, photo: Picture) -> NDArray[np.float32] | None:
        return self._person.describe(photo.pixels())
