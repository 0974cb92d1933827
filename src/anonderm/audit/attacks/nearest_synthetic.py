"""The synthetic faces nearest to each real photo and person, on which most attacks are based."""

# N photos, P people, K nearest synthetic faces of a photo

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.audit.excess import Floats
from anonderm.core.results.audit import Pair

Rows = NDArray[np.intp]

WORST = 8
"""Worst cases kept of each attack."""


@dataclass(frozen=True)
class NearestSynthetic:
    """The nearest synthetic faces of one arm's photos, ascending.

    distances_NK, faces_NK: distance and row of each; mirrored faces are compared as well. owners: the person
    of each photo; rows_N: the photo's row in the real set.
    """

    distances_NK: Floats
    faces_NK: Rows
    owners: tuple[str, ...]
    rows_N: Rows

    def nearest_photo(self) -> Rows:
        """For each person, by name, the photo [P] that is nearest to any synthetic face."""
        return first_by(self.owners, self.distances_NK[:, 0])

    def nearest_distances(self) -> Floats:
        """For each person, by name, the distance [P] from the nearest photo to the nearest synthetic face."""
        return self.distances_NK[self.nearest_photo(), 0]

    def where(self, keep_N: NDArray[np.bool_]) -> NearestSynthetic:
        """Some of the photos."""
        owners = tuple(owner for owner, keep in zip(self.owners, keep_N, strict=True) if keep)
        return NearestSynthetic(self.distances_NK[keep_N], self.faces_NK[keep_N], owners, self.rows_N[keep_N])

    def worst(self, among_P: NDArray[np.bool_] | None = None) -> tuple[Pair, ...]:
        """The people nearest to a synthetic face, ascending, at most WORST; only those of `among_P`."""
        photo_P = self.nearest_photo()
        photo_P = photo_P if among_P is None else photo_P[among_P]
        order = np.argsort(self.distances_NK[photo_P, 0], kind="stable")[:WORST]
        return tuple(
            Pair(int(self.rows_N[photo]), int(self.faces_NK[photo, 0]), float(self.distances_NK[photo, 0]))
            for photo in photo_P[order]
        )


def first_by(owners: Sequence[str], values_N: Floats) -> Rows:
    """For each owner, by name, the row [P] with the smallest value."""
    owner_N = np.unique(np.array(owners, str), return_inverse=True)[1]
    order_N = np.lexsort((np.arange(len(values_N)), values_N, owner_N))
    _, first_P = np.unique(owner_N[order_N], return_index=True)
    return np.asarray(order_N[first_P], np.intp)
