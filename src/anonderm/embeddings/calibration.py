"""What a matcher is worth on the user's own faces: how often it errs, and at which distance.

FMR, the false match rate: share of pairs of two people at or below a distance. FNMR, the false non-match
rate: share of pairs of one person above it. EER: where both are equal. A matcher that misses more than half
of the genuine pairs at an FMR of 1% is blind here: what it does not find says nothing.
"""

# P pairs, Q people, B resamples, T thresholds of a curve

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anonderm.embeddings.identity_pairs import Pairs
from anonderm.embeddings.search import Floats
from anonderm.metrics.bootstrap import wilson_interval

FMRS = (0.001, 0.01)
"""False match rates for which a threshold is given."""

ENOUGH_GENUINE, ENOUGH_PEOPLE, ENOUGH_IMPOSTOR = 10, 5, 100
_BLIND_FNMR = 0.5  # at the larger of FMRS
_LEAST_SEEN = 0.5  # share of faces
_RESAMPLES = 500
_CURVE = 200  # points at most

From = Literal["photos", "copies"]


@dataclass(frozen=True)
class Level:
    """The distance at or below which two faces are taken for one person, for a false match rate.

    how: measured; extrapolated (too few pairs for so small a rate: a normal distribution is laid through the
    median and the lower 16% of strangers); or unreachable, and then there is no threshold. fmr and fnmr are
    the shares seen on the pairs, each with its 95% interval over people.
    """

    asked: float
    threshold: float | None
    how: Literal["measured", "extrapolated", "unreachable"]
    fmr: tuple[float, float, float] | None = None
    fnmr: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Calibration:
    """genuine_from: photos (several of a person) or copies (altered copies of one photo: the floor, since
    other photos differ more). blind: why the matcher counts for nothing here; None for one that sees.

    curve: [threshold, FMR, FNMR], ascending. strangers: median of the impostor distances, and how far the
    16% of the nearest lie below it; None where there is no pair.
    """

    matcher: str
    faces: int
    unseen: int
    genuine: int
    genuine_people: int
    genuine_from: From
    impostor: int
    impostor_people: int
    eer: float | None
    levels: tuple[Level, ...]
    blind: str | None
    curve: tuple[tuple[float, float, float], ...]
    strangers: tuple[float, float] | None

    def extrapolated(self, fmr: float) -> float | None:
        """The threshold for any rate, by a normal distribution laid through `strangers`; None below 0."""
        return None if self.strangers is None else beyond(self.strangers, fmr)

    def threshold(self, fmr: float) -> float | None:
        """Of one of FMRS; None where it is unreachable."""
        return next(level.threshold for level in self.levels if level.asked == fmr)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def calibrate(
    matcher: str,
    genuine: Pairs,
    impostor: Pairs,
    genuine_from: From,
    seen: tuple[int, int],
    rng: np.random.Generator,
) -> Calibration:
    """seen: faces that the matcher sees, of how many."""
    levels = tuple(_level(fmr, genuine, impostor, rng) for fmr in FMRS)
    curve_T3 = _curve(genuine.distances_P, impostor.distances_P)
    return Calibration(
        matcher,
        seen[1],
        seen[1] - seen[0],
        len(genuine),
        genuine.people,
        genuine_from,
        len(impostor),
        impostor.people,
        _equal_error(curve_T3),
        levels,
        _blind(levels[-1], genuine, impostor, seen),
        tuple((float(t), float(fmr), float(fnmr)) for t, fmr, fnmr in _thinned(curve_T3)),
        strangers(impostor.distances_P) if len(impostor) else None,
    )


def _level(fmr: float, genuine: Pairs, impostor: Pairs, rng: np.random.Generator) -> Level:
    threshold, how = _threshold(np.sort(impostor.distances_P), fmr)
    if threshold is None:
        return Level(fmr, None, "unreachable")
    false_P, missed_P = impostor.distances_P <= threshold, genuine.distances_P > threshold
    return Level(
        fmr,
        threshold,
        how,
        rate_over_people(false_P, impostor.people_P2, rng),
        rate_over_people(missed_P, genuine.people_P2, rng) if len(genuine) else None,
    )


def _threshold(
    ascending_P: Floats, fmr: float
) -> tuple[float | None, Literal["measured", "extrapolated", "unreachable"]]:
    """The largest distance with no more than this share of strangers at or below it."""
    if len(ascending_P) < ENOUGH_IMPOSTOR:
        return None, "unreachable"
    allowed = int(fmr * len(ascending_P) + 1e-9)
    if allowed:
        within, next_one = ascending_P[allowed - 1], ascending_P[min(allowed, len(ascending_P) - 1)]
        return float(within if next_one > within else np.nextafter(within, -np.inf)), "measured"
    threshold = beyond(strangers(ascending_P), fmr)
    if threshold is None:
        return None, "unreachable"
    return min(threshold, float(ascending_P[0])), "extrapolated"


def strangers(impostor_P: NDArray[np.floating]) -> tuple[float, float]:
    """Median of the distances of two people, and how far the lower 16% lie below it."""
    low, middle = np.quantile(impostor_P, (NormalDist().cdf(-1), 0.5))
    return float(middle), float(middle - low)


def beyond(spread: tuple[float, float], fmr: float) -> float | None:
    """The distance of a false match rate, by a normal distribution laid through `strangers`; None below 0."""
    threshold = spread[0] + NormalDist().inv_cdf(fmr) * spread[1]
    return threshold if threshold > 0 else None


def rate_over_people(
    hits_P: NDArray[np.bool_], people_P2: NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float, float]:
    """The share of pairs that hit, with a 95% interval: bootstrap over people, not narrower than Wilson's.

    A pair of two people counts as often as the product of how often both were drawn; one of a single person
    as often as that person. Wilson's is for as many trials as there are pairs of people, or people.
    """
    people, code_P2 = np.unique(people_P2, return_inverse=True)
    code_P2 = code_P2.reshape(people_P2.shape)
    count, single = len(people), bool((people_P2[:, 0] == people_P2[:, 1]).all())
    drawn_BQ = rng.multinomial(count, np.full(count, 1 / count), _RESAMPLES).astype(np.float32)
    weigh = _of_one(code_P2[:, 0], count, drawn_BQ) if single else _of_two(code_P2, count, drawn_BQ)
    hit_B, all_B = weigh(hits_P.astype(np.float64)), weigh(np.ones(len(hits_P)))
    low, high = np.quantile(hit_B[all_B > 0] / all_B[all_B > 0], (0.025, 0.975))
    share = float(hits_P.mean())
    trials = count if single else len(np.unique(np.sort(code_P2, axis=1) @ (count, 1)))
    wilson_low, wilson_high = wilson_interval(round(share * trials), trials)
    return share, min(share, wilson_low, float(low)), max(share, wilson_high, float(high))


Weigh = Callable[[Floats], Floats]


def _of_one(person_P: NDArray[np.int64], count: int, drawn_BQ: NDArray[np.float32]) -> Weigh:
    return lambda values_P: drawn_BQ.astype(np.float64) @ np.bincount(person_P, values_P, count)


def _of_two(people_P2: NDArray[np.int64], count: int, drawn_BQ: NDArray[np.float32]) -> Weigh:
    from scipy.sparse import csr_array

    def weigh(values_P: Floats) -> Floats:
        places = (people_P2[values_P > 0, 0], people_P2[values_P > 0, 1])
        table_QQ = csr_array((values_P[values_P > 0].astype(np.float32), places), shape=(count, count))
        return np.asarray(np.einsum("qb,bq->b", table_QQ @ drawn_BQ.T, drawn_BQ))

    return weigh


def _curve(genuine_P: Floats, impostor_P: Floats) -> Floats:
    """Threshold, FMR and FNMR [T, 3] at every distance that occurs."""
    places_T = np.unique(np.concatenate([genuine_P, impostor_P]))
    places_T = places_T[np.isfinite(places_T)]
    fmr_T = np.searchsorted(np.sort(impostor_P), places_T, "right") / max(len(impostor_P), 1)
    fnmr_T = 1 - np.searchsorted(np.sort(genuine_P), places_T, "right") / max(len(genuine_P), 1)
    return np.stack([places_T, fmr_T, fnmr_T], axis=1)


def _thinned(curve_T3: Floats) -> Floats:
    """Evenly spaced along both rates: half of the points where the FMR grows, half where the FNMR falls."""
    if len(curve_T3) <= _CURVE:
        return curve_T3
    grown_T = np.linspace(0, 1, _CURVE // 2)
    by_fmr = np.searchsorted(curve_T3[:, 1], grown_T * curve_T3[-1, 1])
    by_fnmr = np.searchsorted(-curve_T3[:, 2], -curve_T3[0, 2] + grown_T * (curve_T3[0, 2] - curve_T3[-1, 2]))
    return curve_T3[np.unique(np.clip(np.concatenate([by_fmr, by_fnmr]), 0, len(curve_T3) - 1))]


def _equal_error(curve_T3: Floats) -> float | None:
    if not len(curve_T3):
        return None
    best = int(np.argmin(np.abs(curve_T3[:, 1] - curve_T3[:, 2])))
    return float(curve_T3[best, 1:].mean())


def _blind(level: Level, genuine: Pairs, impostor: Pairs, seen: tuple[int, int]) -> str | None:
    if seen[0] < _LEAST_SEEN * seen[1]:
        return f"it sees a face on {seen[0]} of {seen[1]} pictures"
    if len(impostor) < ENOUGH_IMPOSTOR:
        return (
            f"{len(impostor)} pairs of two people are too few to calibrate it; {ENOUGH_IMPOSTOR} are needed"
        )
    if len(genuine) < ENOUGH_GENUINE:
        return f"{len(genuine)} pairs of one person are too few to calibrate it; {ENOUGH_GENUINE} are needed"
    if level.fnmr is None or level.fnmr[0] > _BLIND_FNMR:
        missed = "all" if level.fnmr is None else f"{level.fnmr[0]:.0%}"
        return f"at a false match rate of {level.asked:.0%} it misses {missed} of the pairs of one person"
    return None
