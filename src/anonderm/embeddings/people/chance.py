"""How likely two photos are alike by chance.

Nearly all pairs of photos show two people, so the upper half of all distances is theirs: the empirical
null of Efron 2004, a normal distribution with the median and the 84th percentile of the distances.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = np.linspace(0, 2, 401)
"""Edges of the bins in which distances are counted."""

Counts = NDArray[np.int64]

_SIGNIFICANT = 3.0  # standard deviations of a Poisson count


@dataclass(frozen=True)
class Chance:
    """The distances of all pairs, counted in BINS, and the normal distribution of impostor pairs."""

    counts: Counts
    middle: float
    spread: float

    @staticmethod
    def of(counts: Counts) -> "Chance":
        middle, upper = quantile(counts, 0.5), quantile(counts, 0.8413)
        return Chance(counts, middle, max(upper - middle, 1e-3))

    def expected_below(self, distance: float) -> float:
        """The number of impostor pairs expected at this distance or below."""
        return float(self.counts.sum()) * _normal((distance - self.middle) / self.spread)

    def seen_below(self, distance: float) -> float:
        """The number of pairs there."""
        cumulated = np.concatenate([[0], np.cumsum(self.counts)])
        return float(np.interp(distance, BINS, cumulated))

    def excess_below(self, distance: float) -> float | None:
        """How many more pairs there are than impostor pairs are expected; None if chance explains that."""
        expected = self.expected_below(distance)
        excess = self.seen_below(distance) - expected
        return excess if excess > _SIGNIFICANT * math.sqrt(expected + 1) else None

    def genuine(self) -> float:
        """The number of genuine pairs of which one can be sure: the largest excess at any distance, less
        twice its standard deviation."""
        seen = np.concatenate([[0], np.cumsum(self.counts)])
        below = [edge for edge in range(len(BINS)) if BINS[edge] <= self.middle - self.spread]
        sure = [
            float(seen[edge]) - expected - 2 * math.sqrt(expected)
            for edge in below
            if (expected := self.expected_below(float(BINS[edge]))) >= 0
        ]
        return max(sure, default=0.0)

    def genuine_probability(self, distances: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probability, of any shape, that pairs at these distances are genuine.

        One minus the share of impostor pairs expected among all pairs at least as near (tail-area false
        discovery rate); it never rises with the distance. 0 for NaN.
        """
        seen = np.concatenate([[0], np.cumsum(self.counts)])
        expected = np.array([self.expected_below(float(edge)) for edge in BINS])
        of_edges = np.minimum.accumulate(np.clip(1 - expected / np.maximum(seen, 1), 0, 1))
        found = np.interp(np.nan_to_num(distances, nan=BINS[-1]), BINS, of_edges)
        return np.where(np.isfinite(distances), found, 0.0)


def quantile(counts: Counts, share: float) -> float:
    """From the histogram, interpolated linearly within a bin."""
    cumulated = np.concatenate([[0], np.cumsum(counts)]) / max(counts.sum(), 1)
    return float(np.interp(share, cumulated, BINS))


def count(distances: NDArray[np.float32]) -> Counts:
    """Distances that are finite, counted in BINS; larger ones in the last."""
    finite = distances[np.isfinite(distances)]
    return np.histogram(np.minimum(finite, BINS[-1]), BINS)[0].astype(np.int64)


def _normal(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))
