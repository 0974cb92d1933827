"""What a matcher makes of faces, and the interface that every matcher has."""

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
class Described:
    """Faces as a matcher sees them: the distance of two is Euclidean, the smallest over their views.

    rows_NVD: float32; view 0 is the face as it is. seen_N: whether the matcher sees a face at all; the rows
    of one that it does not see are 0 and are compared with nothing.
    """

    rows_NVD: Rows
    seen_N: NDArray[np.bool_]

    @staticmethod
    def of(rows_NVD: Rows) -> Described:
        """A row with a number that is not finite belongs to a face that is not seen."""
        seen_N = np.asarray(np.isfinite(rows_NVD).all(axis=(1, 2)))
        return Described(np.where(seen_N[:, None, None], rows_NVD, np.float32(0)), seen_N)

    def __len__(self) -> int:
        return len(self.rows_NVD)

    @property
    def rows_ND(self) -> Rows:
        """One row a face: as it is."""
        return self.rows_NVD[:, 0]

    @property
    def unseen(self) -> int:
        return int((~self.seen_N).sum())

    def __getitem__(
        self, faces: slice | Sequence[int] | NDArray[np.integer] | NDArray[np.bool_]
    ) -> Described:
        """Those faces only."""
        return Described(self.rows_NVD[faces], self.seen_N[faces])

    def as_is(self) -> Described:
        """The same faces without their other views."""
        return Described(self.rows_NVD[:, :1], self.seen_N)


class Matcher(Protocol):
    """Tells how alike two faces are. `sees` says in a few words by what."""

    @property
    def name(self) -> str: ...

    @property
    def sees(self) -> str: ...

    @property
    def knows_faces(self) -> bool:
        """Whether it is meant to know a person on another photo; if not, only a copy of the photo."""

    def describe(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Described:
        """Every face as it is; with `views` also mirrored, and otherwise as it may lie in a picture.

        It is enough that one side of a comparison has its views: give them to the smaller one. What was
        worked out before is read from faces.folder/embeddings. Raises MissingPath, UnreadableImage or
        ProcessLost.
        """
