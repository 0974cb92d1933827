"""Face space: the few directions in which the pictures of real faces differ.

What is drawn in the wrong place cannot be said in them, so that a deformed face lies far from the space even
where it lies near to some face. Source: Turk and Pentland 1991, "Eigenfaces for recognition", section on
distance from face space.
"""

# N training faces, M faces, D features, K axes

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FOLDS = 5
_FACES_AN_AXIS = 3  # fewer would fit the training faces themselves

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class FaceSpace:
    """`mean` [D] and orthonormal `axes` [K, D]."""

    mean: Floats
    axes: Floats

    @staticmethod
    def fit(rows_ND: Floats, axes: int) -> FaceSpace:
        """The first principal axes, at most one for every three faces."""
        mean_D = rows_ND.mean(axis=0)
        principal = np.linalg.svd(rows_ND - mean_D, full_matrices=False)[2]
        return FaceSpace(mean_D, principal[: min(axes, len(rows_ND) // _FACES_AN_AXIS)])

    def distance(self, rows_MD: Floats) -> NDArray[np.float64]:
        """Length [M] of what remains of each row beside the axes."""
        centred = rows_MD - self.mean
        remainder = centred - centred @ self.axes.T @ self.axes
        return np.linalg.norm(remainder, axis=1).astype(np.float64)


def distances_of_unseen(rows_ND: Floats, subjects: Sequence[str], axes: int) -> NDArray[np.float64]:
    """Distance [N] of each row from the space of other people, over five folds of people."""
    people_N = np.unique(subjects, return_inverse=True)[1]
    fold_N = people_N % min(_FOLDS, people_N.max() + 1)
    distances = np.empty(len(rows_ND))
    for fold in np.unique(fold_N):
        unseen = fold_N == fold
        distances[unseen] = FaceSpace.fit(rows_ND[~unseen], axes).distance(rows_ND[unseen])
    return distances
