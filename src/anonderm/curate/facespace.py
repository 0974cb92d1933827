"""Face space: the principal components of pictures of real faces (eigenfaces).

They cannot represent misplaced features, so a deformed face is far from the space even if it is near to some
face. Source: Turk and Pentland 1991, "Eigenfaces for recognition", distance from face space.
"""

# N training faces, M faces, D features, K components

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FOLDS = 5
_FACES_PER_COMPONENT = 3  # fewer would overfit the training faces

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class FaceSpace:
    """`mean` [D] and orthonormal `components` [K, D]."""

    mean: Floats
    components: Floats

    @staticmethod
    def fit(rows_ND: Floats, components: int) -> FaceSpace:
        """The first principal components, at most one for every three faces."""
        mean_D = rows_ND.mean(axis=0)
        principal = np.linalg.svd(rows_ND - mean_D, full_matrices=False)[2]
        return FaceSpace(mean_D, principal[: min(components, len(rows_ND) // _FACES_PER_COMPONENT)])

    def distance(self, rows_MD: Floats) -> NDArray[np.float64]:
        """Distance [M] of each row from its reconstruction."""
        centred = rows_MD - self.mean
        residual = centred - centred @ self.components.T @ self.components
        return np.linalg.norm(residual, axis=1).astype(np.float64)


def cross_validated_distances(
    rows_ND: Floats, subjects: Sequence[str], components: int
) -> NDArray[np.float64]:
    """Distance [N] of each row from the space of other people, in five folds of people."""
    people_N = np.unique(subjects, return_inverse=True)[1]
    fold_N = people_N % min(_FOLDS, people_N.max() + 1)
    distances = np.empty(len(rows_ND))
    for fold in np.unique(fold_N):
        held_out = fold_N == fold
        distances[held_out] = FaceSpace.fit(rows_ND[~held_out], components).distance(rows_ND[held_out])
    return distances
