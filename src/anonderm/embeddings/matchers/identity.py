"""Matchers that recognise people: a descriptor of each face, computed by several processes."""

# N faces, V views of a face (as it is, mirrored), D features

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, read_image
from anonderm.core.rundir import RunDir
from anonderm.embeddings.dlib_faces import DlibPerson, dlib_digest
from anonderm.embeddings.matchers.matcher import Templates
from anonderm.embeddings.store import Store, describe_each, key

Describer = Callable[[Pixels], NDArray[np.float32] | None]
"""Pixels uint8 RGB [H, W, 3] -> float32 [D], or None where no face is found."""


@dataclass(frozen=True)
class IdentityMatcher:
    """start: makes a describer, in each process anew; digest: changes when its rows could."""

    name: str
    digest: str
    width: int
    start: Callable[[], Describer]
    recognises_people: bool = True

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment fails where a face is found in none of the views."""
        sides = (False, True) if views else (False,)
        pictures = [_Picture(faces.folder / face.file, flip) for face in faces for flip in sides]
        keys = [key(face.sha256, mirrored=flip) for face in faces for flip in sides]
        store = Store(self.name, self.digest, (self.width,))
        with run.bar(f"describing faces with {self.name}", len(pictures)) as bar:
            rows = describe_each(store, pictures, keys, partial(_Describe, self.start), bar)
        return Templates.of(rows.reshape(len(faces), len(sides), self.width))


@dataclass(frozen=True)
class _Picture:
    path: Path
    flip: bool


class _Describe:
    def __init__(self, start: Callable[[], Describer]) -> None:
        self._describe = start()

    def __call__(self, picture: _Picture) -> NDArray[np.float32] | None:
        pixels_HWC = read_image(picture.path)
        return self._describe(np.ascontiguousarray(pixels_HWC[:, ::-1]) if picture.flip else pixels_HWC)


def dlib_matcher() -> IdentityMatcher:
    """The published 128-d descriptor. Raises MissingExtra."""
    return IdentityMatcher("dlib", dlib_digest(), 128, DlibPerson)
