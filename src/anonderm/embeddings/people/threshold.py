"""The distance below which two photos show one person, from the distances of all pairs."""

# N photos, D features of a descriptor, B photos of a block

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.metrics.pairwise import pairs_within

BINS = np.linspace(0, 2, 401)
"""Edges of the bins in which distances are counted."""

_ENOUGH_PAIRS = 10  # genuine and impostor pairs of known people, for a calibration
_ENOUGH_PHOTOS = 20  # to estimate the distribution of impostor distances
_FALSE_LINKS = 0.01  # acceptable impostor pairs below the threshold, per photo

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Distances:
    """Histograms of the distances between photos.

    genuine, impostor: pairs of known people, the same or two. all: these and all other pairs.
    """

    photos: int
    all: Counts
    genuine: Counts
    impostor: Counts


@dataclass(frozen=True)
class Threshold:
    """how: where the value comes from; expected_false: the expected number of impostor pairs below it."""

    value: float
    how: str
    expected_false: float | None = None


def count_distances(descriptors_ND: NDArray[np.float32], known: Sequence[str | None]) -> Distances:
    """known: the person on each photo, where the source states it."""
    codes = {name: code for code, name in enumerate(dict.fromkeys(name for name in known if name))}
    person_N = np.array([codes[name] if name else -1 for name in known])
    counts = [np.zeros(len(BINS) - 1, np.int64) for _ in range(3)]
    for rows, columns, distances_BB in pairs_within(descriptors_ND):
        one_B1, two_1B = person_N[rows, None], person_N[None, columns]
        known_BB = (one_B1 >= 0) & (two_1B >= 0)
        same_BB, every_BB = one_B1 == two_1B, np.isfinite(distances_BB)
        for count, chosen_BB in zip(counts, (every_BB, known_BB & same_BB, known_BB & ~same_BB), strict=True):
            chosen = distances_BB[every_BB & chosen_BB]
            count += np.histogram(np.minimum(chosen, BINS[-1]), BINS)[0]
    return Distances(len(descriptors_ND), *counts)


def choose(distances: Distances, published: float, fixed: float | None = None) -> Threshold:
    """The user's threshold; or one calibrated on known people; or the matcher's published one, lowered where
    impostor pairs of this set are closer than it allows for."""
    if fixed is not None:
        return Threshold(fixed, "set by the user", expected_false(distances, fixed))
    if min(distances.genuine.sum(), distances.impostor.sum()) >= _ENOUGH_PAIRS:
        return _calibrated(distances)
    if distances.photos < _ENOUGH_PHOTOS:
        return Threshold(published, f"published; {distances.photos} photos are too few to check it")
    expected, allowed = expected_false(distances, published), _FALSE_LINKS * distances.photos
    if expected <= allowed:
        return Threshold(published, "published", expected)
    fitting = [t for t in map(float, BINS) if 0 < t < published and expected_false(distances, t) <= allowed]
    value = max(fitting, default=float(BINS[1]))
    how = f"the published {published:g} would join about {expected:.0f} impostor pairs"
    return Threshold(value, how, expected_false(distances, value))


def expected_false(distances: Distances, threshold: float) -> float:
    """The expected number of impostor pairs below a threshold.

    Nearly all pairs are impostor pairs, so the upper half of all distances is theirs: a normal distribution
    is fitted to the median and the 84th percentile.
    """
    middle, upper = _quantile(distances.all, 0.5), _quantile(distances.all, 0.8413)
    spread = max(upper - middle, 1e-3)
    return float(distances.all.sum()) * 0.5 * math.erfc((middle - threshold) / spread / math.sqrt(2))


def _calibrated(distances: Distances) -> Threshold:
    """Where the sum of FNMR and FMR is smallest; the middle of the best thresholds."""
    missed = 1 - np.concatenate([[0], np.cumsum(distances.genuine)]) / distances.genuine.sum()
    false = np.concatenate([[0], np.cumsum(distances.impostor)]) / distances.impostor.sum()
    best = np.flatnonzero(missed + false <= (missed + false).min() + 1e-12)
    run = max(np.split(best, np.flatnonzero(np.diff(best) > 1) + 1), key=len)
    at = int(run[len(run) // 2])
    how = (
        f"calibrated on {distances.genuine.sum()} genuine and {distances.impostor.sum()} impostor pairs of "
        f"known people: FNMR {missed[at]:.1%}, FMR {false[at]:.2%}"
    )
    return Threshold(float(BINS[at]), how, float(false[at] * distances.all.sum()))


def _quantile(counts: Counts, share: float) -> float:
    """From the histogram, interpolated linearly within a bin."""
    cumulated = np.concatenate([[0], np.cumsum(counts)]) / max(counts.sum(), 1)
    return float(np.interp(share, cumulated, BINS))
