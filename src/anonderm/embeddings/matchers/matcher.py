"""Templates of faces, and the interface of every matcher that extracts them."""

# N faces, V views of a face, D features, M faces on the other side of a comparison

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir

Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Templates:
    """One matcher's embeddings of faces, with one or more views of each.

    rows_NVD: float32; view 0 is the unchanged picture. The distance between two faces is the smallest
    Euclidean distance between any of their views. enrolled_N: False where the matcher found no face (failure
    to enrol); such rows are 0 and have no distance to anything.
    """

    rows_NVD: Rows
    enrolled_N: NDArray[np.bool_]

    @staticmethod
    def of(rows_NVD: Rows) -> Templates:
        """A face with a value that is not finite counts as a failure to enrol."""
        enrolled_N = np.asarray(np.isfinite(rows_NVD).all(axis=(1, 2)))
        return Templates(np.where(enrolled_N[:, None, None], rows_NVD, np.float32(0)), enrolled_N)

    def __len__(self) -> int:
        return len(self.rows_NVD)

    @property
    def rows_ND(self) -> Rows:
        """The first view of each face."""
        return self.rows_NVD[:, 0]

    @property
    def failed_to_enrol(self) -> int:
        return int((~self.enrolled_N).sum())

    def __getitem__(
        self, faces: slice | Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]
    ) -> Templates:
        """The chosen faces only."""
        return Templates(self.rows_NVD[faces], self.enrolled_N[faces])

    def first_view(self) -> Templates:
        """The same faces with their first view only."""
        return Templates(self.rows_NVD[:, :1], self.enrolled_N)


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
