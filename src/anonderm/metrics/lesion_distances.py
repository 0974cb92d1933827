"""Distances between the lesions of two groups of faces: number, size and place."""

# F faces, L lesions

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.records import Lesion
from anonderm.metrics.bootstrap import Rows, jackknife_interval, jackknife_variances

Floats = NDArray[np.float64]

MEASURES = {
    "count": "Wasserstein distance, in lesions a face",
    "size": "Wasserstein distance, in percent of the picture's width",
    "place": "energy distance, in percent of the picture's width",
}
_MAX_LESIONS = 1000  # in the energy distance, which compares every pair


@dataclass(frozen=True)
class LesionGroup:
    """The lesions of a group of faces: for each face, rows [L, 3] of size, x and y.

    In percent of the picture's width; x and y of the box's centre, size the root of its area. groups: the
    person on each face.
    """

    lesions_F: tuple[Floats, ...]
    groups: tuple[Hashable, ...]

    def __len__(self) -> int:
        return len(self.groups)

    def take(self, rows: Sequence[int] | Rows) -> LesionGroup:
        return LesionGroup(
            tuple(self.lesions_F[row] for row in rows), tuple(self.groups[row] for row in rows)
        )

    @property
    def counts_F(self) -> Floats:
        return np.array([len(lesions) for lesions in self.lesions_F], float)

    @property
    def pooled_L3(self) -> Floats:
        return np.concatenate(self.lesions_F) if self.lesions_F else np.zeros((0, 3))


def sizes_and_places(lesions: Sequence[Lesion], width: int) -> Floats:
    """Rows [L, 3] of size, x and y of each lesion, in percent of the picture's width."""
    boxes_L4 = np.array([(each.x0, each.y0, each.x1, each.y1) for each in lesions]).reshape(-1, 4)
    sides_L2, centres_L2 = boxes_L4[:, 2:] - boxes_L4[:, :2], (boxes_L4[:, 2:] + boxes_L4[:, :2]) / 2
    return 100 / width * np.column_stack([np.sqrt(sides_L2.prod(axis=1)), centres_L2])


def distances(a: LesionGroup, b: LesionGroup) -> dict[str, float]:
    """Each of MEASURES; size and place only where both groups have lesions."""
    from scipy.stats import wasserstein_distance

    found = {}
    if len(a) and len(b):
        found["count"] = float(wasserstein_distance(a.counts_F, b.counts_F))
    pooled_a, pooled_b = a.pooled_L3, b.pooled_L3
    if len(pooled_a) and len(pooled_b):
        found["size"] = float(wasserstein_distance(pooled_a[:, 0], pooled_b[:, 0]))
        found["place"] = energy_distance(_thinned(pooled_a[:, 1:]), _thinned(pooled_b[:, 1:]))
    return found


def energy_distance(a_LD: Floats, b_MD: Floats) -> float:
    """2 E|A - B| - E|A - A'| - E|B - B'| of two samples; 0 for equal ones. Szekely and Rizzo 2013."""
    from scipy.spatial.distance import cdist

    within = cdist(a_LD, a_LD).mean() + cdist(b_MD, b_MD).mean()
    return max(0.0, float(2 * cdist(a_LD, b_MD).mean() - within))


def _thinned(rows_LD: Floats) -> Floats:
    return rows_LD[np.linspace(0, len(rows_LD) - 1, min(_MAX_LESIONS, len(rows_LD))).astype(int)]


def distances_with_intervals(
    reference: LesionGroup, other: LesionGroup, rng: np.random.Generator
) -> dict[str, tuple[float, float | None, float | None]]:
    """Value and 95% interval of each measure; delete-a-group jackknife over the people of both sides."""
    variances = (
        jackknife_variances(lambda rows: distances(reference.take(rows), other), reference.groups, rng),
        jackknife_variances(lambda rows: distances(reference, other.take(rows)), other.groups, rng),
    )
    result: dict[str, tuple[float, float | None, float | None]] = {}
    for measure, value in distances(reference, other).items():
        if all(measure in by_measure for by_measure in variances):
            low, high = jackknife_interval(value, *(by_measure[measure] for by_measure in variances))
            result[measure] = (value, max(0.0, low), high)
        else:
            result[measure] = (value, None, None)
    return result
