"""Distances between every two photos, and the distance below which two show one person."""

# N photos, D features of a descriptor, B photos of a block

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.metrics.pairwise import pairs_within

PUBLISHED = 0.6
"""The verification threshold that dlib's author gives for its descriptor."""

BINS = np.linspace(0, 2, 401)
"""Edges of the bins in which distances are counted."""

_ENOUGH_GENUINE = 10  # pairs of photos of known people that are enough to calibrate with
_ENOUGH_PHOTOS = 20  # to know how strangers' distances are distributed
_WRONG_LINKS = 0.01  # pairs of strangers below the threshold that are expected for every photo

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Distances:
    """How many pairs of photos lie how far apart, by bins.

    genuine, impostor: pairs of photos whose people are known, the same or two. all: these and the others.
    """

    photos: int
    all: Counts
    genuine: Counts
    impostor: Counts


@dataclass(frozen=True)
class Threshold:
    """`how` says in words where the value comes from, `wrong` how many pairs of strangers it should join."""

    value: float
    how: str
    wrong: float | None = None


def count_distances(descriptors_ND: NDArray[np.float32], known: Sequence[str | None]) -> Distances:
    """`known`: the person on each photo, where the source says it."""
    codes = {name: code for code, name in enumerate(dict.fromkeys(name for name in known if name))}
    person_N = np.array([codes[name] if name else -1 for name in known])
    counts = [np.zeros(len(BINS) - 1, np.int64) for _ in range(3)]
    for rows, columns, distances_BB in pairs_within(descriptors_ND):
        one_B1, two_1B = person_N[rows, None], person_N[None, columns]
        told_BB = (one_B1 >= 0) & (two_1B >= 0)
        same_BB, every_BB = one_B1 == two_1B, np.isfinite(distances_BB)
        for count, chosen_BB in zip(counts, (every_BB, told_BB & same_BB, told_BB & ~same_BB), strict=True):
            chosen = distances_BB[every_BB & chosen_BB]
            count += np.histogram(np.minimum(chosen, BINS[-1]), BINS)[0]
    return Distances(len(descriptors_ND), *counts)


def choose(distances: Distances, given: float | None = None) -> Threshold:
    """The user's threshold; or one calibrated on known people; or the published one, lowered where strangers
    in this set lie nearer to each other than it allows for."""
    if given is not None:
        return Threshold(given, "given", expected_wrong(distances, given))
    if min(distances.genuine.sum(), distances.impostor.sum()) >= _ENOUGH_GENUINE:
        return _calibrated(distances)
    if distances.photos < _ENOUGH_PHOTOS:
        return Threshold(PUBLISHED, f"published; {distances.photos} photos are too few to check it")
    wrong, allowed = expected_wrong(distances, PUBLISHED), _WRONG_LINKS * distances.photos
    if wrong <= allowed:
        return Threshold(PUBLISHED, "published", wrong)
    fitting = [t for t in map(float, BINS) if 0 < t < PUBLISHED and expected_wrong(distances, t) <= allowed]
    value = max(fitting, default=float(BINS[1]))
    how = f"the published {PUBLISHED} would join about {wrong:.0f} pairs of strangers"
    return Threshold(value, how, expected_wrong(distances, value))


def expected_wrong(distances: Distances, threshold: float) -> float:
    """How many pairs of strangers lie below a threshold.

    Nearly all pairs of a set are strangers, so the median of all distances is theirs, and so is what lies
    above it; a normal distribution is laid through the median and the 84th percentile.
    """
    middle, upper = _quantile(distances.all, 0.5), _quantile(distances.all, 0.8413)
    spread = max(upper - middle, 1e-3)
    return float(distances.all.sum()) * 0.5 * math.erfc((middle - threshold) / spread / math.sqrt(2))


def _calibrated(distances: Distances) -> Threshold:
    """Where the shares of missed and of false matches add up to least; the middle of the best thresholds."""
    missed = 1 - np.concatenate([[0], np.cumsum(distances.genuine)]) / distances.genuine.sum()
    false = np.concatenate([[0], np.cumsum(distances.impostor)]) / distances.impostor.sum()
    best = np.flatnonzero(missed + false <= (missed + false).min() + 1e-12)
    run = max(np.split(best, np.flatnonzero(np.diff(best) > 1) + 1), key=len)
    at = int(run[len(run) // 2])
    how = (
        f"calibrated on {distances.genuine.sum()} pairs of photos of one known person and "
        f"{distances.impostor.sum()} of two: {missed[at]:.1%} missed, {false[at]:.2%} falsely joined"
    )
    return Threshold(float(BINS[at]), how, float(false[at] * distances.all.sum()))


def _quantile(counts: Counts, share: float) -> float:
    """From the bins, straight within each."""
    cumulated = np.concatenate([[0], np.cumsum(counts)]) / max(counts.sum(), 1)
    return float(np.interp(share, cumulated, BINS))
