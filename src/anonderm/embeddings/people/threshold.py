"""The distance below which two photos show one person, from the distances of all pairs."""

# N photos, D features of a descriptor, B photos of a block

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.embeddings.people.chance import BINS, Chance, Counts, count
from anonderm.metrics.pairwise import pairs_within

_ENOUGH_PAIRS = 10  # genuine and impostor pairs of known people, for a calibration
_ENOUGH_PHOTOS = 20  # to estimate the distribution of impostor distances
_FALSE_SHARE, _FALSE_PAIRS = 0.01, 0.5  # impostor pairs below the threshold: acceptable share, or number

# Where neither known people nor this many near pairs tell, genuine distances are taken to be normal with this
# mean and deviation, as shares of the published threshold: it then accepts 99% of them, as publishers aim at.
_GENUINE_MEAN, _GENUINE_DEVIATION = 0.65, 0.15
_MOST_JOINED = 1.0  # impostor pairs, per photo, that a calibrated threshold may join
_ENOUGH_FOUND = 10
_LEAST_RECALL = 0.5  # a threshold that misses more genuine pairs than it finds does not tell people apart

Pairs = Sequence[tuple[int, int]]


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
    """how: where the value comes from; expected_false: the expected number of impostor pairs below it.

    recall: the expected share of genuine pairs below it. tells_apart: whether it finds most people again
    without joining others; always so for a value that the user sets.
    """

    value: float
    how: str
    expected_false: float | None
    recall: float
    tells_apart: bool = True


def count_distances(
    descriptors_ND: NDArray[np.float32],
    known: Sequence[str | None],
    same: Pairs = (),
    different: Pairs = (),
) -> Distances:
    """known: the person on each photo, where the source states it. same, different: pairs that a reviewer
    decided."""
    codes = {name: code for code, name in enumerate(dict.fromkeys(name for name in known if name))}
    person_N = np.array([codes[name] if name else -1 for name in known])
    counts = [np.zeros(len(BINS) - 1, np.int64) for _ in range(3)]
    for rows, columns, distances_BB in pairs_within(descriptors_ND):
        one_B1, two_1B = person_N[rows, None], person_N[None, columns]
        known_BB = (one_B1 >= 0) & (two_1B >= 0)
        same_BB, every_BB = one_B1 == two_1B, np.isfinite(distances_BB)
        for counted, chosen_BB in zip(
            counts, (every_BB, known_BB & same_BB, known_BB & ~same_BB), strict=True
        ):
            counted += count(distances_BB[every_BB & chosen_BB])
    for counted, pairs in zip(counts[1:], (same, different), strict=True):
        ends = [descriptors_ND[[pair[side] for pair in pairs]] for side in (0, 1)] if pairs else []
        if ends:
            counted += count(np.linalg.norm(ends[0] - ends[1], axis=1))
    return Distances(len(descriptors_ND), *counts)


def choose(distances: Distances, published: float, fixed: float | None = None) -> Threshold:
    """The user's threshold; or one calibrated on known people; or the matcher's published one, lowered where
    impostor pairs of this set are closer than it allows for."""
    chance = Chance.of(distances.all)
    if fixed is not None:
        return Threshold(fixed, "set by the user", chance.expected_below(fixed), _recall(fixed, published))
    if min(distances.genuine.sum(), distances.impostor.sum()) >= _ENOUGH_PAIRS:
        return _calibrated(distances)
    if distances.photos < _ENOUGH_PHOTOS:
        how = f"published; {distances.photos} photos are too few to check it"
        return Threshold(published, how, None, _recall(published, published))
    expected = chance.expected_below(published)
    if _is_precise(chance, published):
        return Threshold(published, "published", expected, _recall(published, published))
    fitting = [t for t in map(float, BINS) if 0 < t < published and _is_precise(chance, t)]
    value = max(fitting, default=float(BINS[1]))
    how = f"the published {published:g} would join about {expected:.0f} impostor pairs"
    recall = _recall(value, published)
    found = chance.seen_below(value) - chance.expected_below(value)
    if found >= _ENOUGH_FOUND:
        recall = min(1.0, found / max(found, chance.genuine()))
    return Threshold(value, how, chance.expected_below(value), recall, recall >= _LEAST_RECALL)


def _is_precise(chance: Chance, threshold: float) -> bool:
    """Whether nearly all pairs below the threshold are genuine; a few others are accepted in any set."""
    allowed = max(_FALSE_PAIRS, _FALSE_SHARE * chance.seen_below(threshold))
    return chance.expected_below(threshold) <= allowed


def _recall(value: float, published: float) -> float:
    z = (value / published - _GENUINE_MEAN) / _GENUINE_DEVIATION
    return 0.5 * math.erfc(-z / math.sqrt(2))


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
    recall, joined = float(1 - missed[at]), float(false[at] * distances.all.sum())
    telling = recall >= _LEAST_RECALL and joined <= max(1.0, _MOST_JOINED * distances.photos)
    return Threshold(float(BINS[at]), how, joined, recall, telling)
