"""Matchers that know a person on another photo: each face's descriptor, worked out by several processes."""

# N faces, V views of a face (as it is, mirrored), D features

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_bytes, sha256_file
from anonderm.core.images import Pixels, read_image
from anonderm.core.rundir import RunDir
from anonderm.embeddings.dlib_faces import FIVE_POINTS, IDENTITY, DlibPerson, load_dlib, model_path
from anonderm.embeddings.journal import Journal
from anonderm.embeddings.matchers.matcher import Templates

Describer = Callable[[Pixels], NDArray[np.float32] | None]
"""Pixels uint8 RGB [H, W, 3] -> float32 [D], or None where no face is found."""


@dataclass(frozen=True)
class IdentityMatcher:
    """`start` makes a describer, in each process anew; `digest` changes when its rows could."""

    name: str
    digest: str
    width: int
    start: Callable[[], Describer]
    recognises_people: bool = True

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment fails where a face is found in none of the views."""
        sides = (False, True) if views else (False,)
        pictures = [_Picture(faces.folder / face.file, flip) for face in faces for flip in sides]
        stamps = [face.sha256 + ("-flipped" if flip else "") for face in faces for flip in sides]
        journal = Journal(faces.folder / "embeddings" / f"{self.name}-{self.digest[:16]}.jsonl", False)
        with run.bar(f"describing faces with {self.name}", len(pictures)) as bar:
            found = journal.rows(pictures, stamps, partial(_Look, self.start), bar)
        nothing_D = np.full(self.width, np.nan, np.float32)
        rows = np.array([nothing_D if row is None else row for row in found], np.float32)
        return Templates.of(rows.reshape(len(faces), len(sides), self.width))


@dataclass(frozen=True)
class _Picture:
    path: Path
    flip: bool


class _Look:
    def __init__(self, start: Callable[[], Describer]) -> None:
        self._describe = start()

    def __call__(self, picture: _Picture) -> NDArray[np.float32] | None:
        pixels_HWC = read_image(picture.path)
        return self._describe(np.ascontiguousarray(pixels_HWC[:, ::-1]) if picture.flip else pixels_HWC)


def dlib_matcher() -> IdentityMatcher:
    """The published 128-d descriptor. Raises MissingExtra."""
    load_dlib()
    digests = "".join(sha256_file(model_path(name)) for name in (FIVE_POINTS, IDENTITY))
    return IdentityMatcher("dlib", sha256_bytes(digests.encode()), 128, _dlib_describer)


def _dlib_describer() -> Describer:
    return DlibPerson().describe
