"""Templates of faces, the interface of the matchers that extract them, and the matcher of people."""

# N faces, V views of a face, D features, M faces on the other side of a comparison

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, read_image
from anonderm.core.rundir import RunDir
from anonderm.embeddings.store import Store, describe_each, key

Rows = NDArray[np.float32]
MatcherName = Literal["dlib", "arcface", "copy", "encoder"]


@dataclass(frozen=True)
class Templates:
    """One matcher's embeddings of faces, with one or more views of each.

    rows_NVD: float32; view 0 is the unchanged picture; NaN where the matcher found no face (failed to enrol).
    The functions of metrics.pairwise accept templates like arrays: the distance between two faces is the
    smallest Euclidean distance between any of their views.
    """

    rows_NVD: Rows

    @staticmethod
    def of(rows_NVD: Rows) -> Templates:
        """A face with a value that is not finite, in any view, counts as a failure to enrol."""
        enrolled_N = Templates(rows_NVD).enrolled_N
        return Templates(np.where(enrolled_N[:, None, None], rows_NVD, np.float32(np.nan)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Rows:
        return np.asarray(self.rows_NVD, dtype)

    def __len__(self) -> int:
        return len(self.rows_NVD)

    @property
    def rows_ND(self) -> Rows:
        """The first view of each face."""
        return self.rows_NVD[:, 0]

    @cached_property
    def enrolled_N(self) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.rows_NVD).all(axis=(1, 2)))

    def __getitem__(
        self, faces: slice | Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]
    ) -> Templates:
        """The chosen faces only."""
        return Templates(self.rows_NVD[faces])

    def first_view(self) -> Templates:
        """The same faces with their first view only."""
        return Templates(self.rows_NVD[:, :1])


class Matcher(Protocol):
    """Measures how similar two faces are."""

    @property
    def name(self) -> str: ...

    @property
    def recognises_people(self) -> bool:
        """Whether it matches different photos of one person; otherwise only copies of one photo."""

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """The template of every face; with `views`, also of mirrored (copy matcher: and cropped) versions.

        Views are needed on one side of a comparison only: request them for the smaller set. Raises
        MissingPath, UnreadableImage or ProcessLost.
        """


Describer = Callable[[Pixels], NDArray[np.float32] | None]
"""Pixels uint8 RGB [H, W, 3] -> float32 [D], or None where no face is found."""


@dataclass(frozen=True)
class IdentityMatcher:
    """Recognises people by a descriptor of each face, computed by several processes.

    start: makes a describer, in each process anew; digest: changes when its rows could.
    """

    name: str
    digest: str
    width: int
    start: Callable[[], Describer]
    recognises_people: bool = True

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        """See Matcher. Enrolment fails where any of the views shows no face."""
        sides = (False, True) if views else (False,)
        pictures = [(faces.folder / face.file, flip) for face in faces for flip in sides]
        keys = [key(face.sha256, mirrored=flip) for face in faces for flip in sides]
        store = Store(self.name, self.digest, (self.width,))
        with run.bar(f"describing faces with {self.name}", len(pictures)) as bar:
            rows = describe_each(store, pictures, keys, partial(_side_describer, self.start), bar)
        return Templates.of(rows.reshape(len(faces), len(sides), self.width))


def _side_describer(
    start: Callable[[], Describer],
) -> Callable[[tuple[Path, bool]], NDArray[np.float32] | None]:
    """Describes the picture in a file, mirrored where the flag is true."""
    describe = start()

    def describe_side(side: tuple[Path, bool]) -> NDArray[np.float32] | None:
        path, flip = side
        pixels_HWC = read_image(path)
        return describe(np.ascontiguousarray(pixels_HWC[:, ::-1]) if flip else pixels_HWC)

    return describe_side
