"""Error rates of a matcher on the user's own faces, and the distance thresholds that give them.

FMR, the false match rate: share of impostor pairs at or below a threshold. FNMR, the false non-match rate:
share of genuine pairs above it. EER: the rate at which both are equal. A matcher is uninformative if it
misses more than half of the genuine pairs at an FMR of 1%.
"""

# N photos, P pairs, Q people, R altered copies, B resamples, T thresholds of a curve

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.results.audit import Calibration, Level, extrapolated_threshold
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.matcher import Matcher, Templates
from anonderm.metrics.bootstrap import Rows, wilson_interval
from anonderm.metrics.pairwise import Floats, distances

FMRS = (0.001, 0.01)
"""False match rates for which thresholds are calibrated."""

ENOUGH_GENUINE, ENOUGH_PEOPLE, ENOUGH_IMPOSTOR = 10, 5, 100
_MAX_FNMR = 0.5  # at the largest of FMRS
_MIN_ENROLLED = 0.5  # share of faces
_RESAMPLES = 500
_CURVE_POINTS = 200  # at most
_MAX_PHOTOS = 2000  # whose pairs are all compared

GenuineSource = Literal["photos", "copies"]


@dataclass(frozen=True)
class Pairs:
    """distances_P of pairs of photos; people_P2: index of the person on each, equal for genuine pairs."""

    distances_P: Floats
    people_P2: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.distances_P)

    @property
    def people(self) -> int:
        return len(np.unique(self.people_P2))


def photo_pairs(
    faces: Templates, views: Templates, people: Sequence[str], rng: np.random.Generator
) -> tuple[Pairs, Pairs]:
    """Genuine and impostor pairs: every two enrolled photos, each pair once.

    faces, views: the same photos without and with views. Beyond 2,000 photos a random 2,000 are compared:
    2 million pairs are enough for rates of 0.1%.
    """
    enrolled = np.flatnonzero(faces.enrolled_N & views.enrolled_N)
    if len(enrolled) > _MAX_PHOTOS:
        enrolled = np.sort(rng.choice(enrolled, _MAX_PHOTOS, replace=False))
    _, person_N = np.unique(np.asarray(people, dtype=object)[enrolled].astype(str), return_inverse=True)
    one_P, two_P = np.triu_indices(len(enrolled), 1)
    distances_P = distances(faces[enrolled], views[enrolled])[one_P, two_P].astype(np.float64)
    people_P2 = np.stack([person_N[one_P], person_N[two_P]], axis=1)
    same_P = people_P2[:, 0] == people_P2[:, 1]
    return Pairs(distances_P[same_P], people_P2[same_P]), Pairs(distances_P[~same_P], people_P2[~same_P])


def copy_pairs(altered: Templates, views: Templates, originals_R: Rows, people: Sequence[str]) -> Pairs:
    """Genuine pairs of an altered copy and its original, row `originals_R` of `views`.

    A pair with a failure to enrol has an infinite distance: no threshold accepts it.
    """
    distances_R = np.full(len(altered), np.inf)
    _, person_N = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    for row, original in enumerate(originals_R):
        distances_R[row] = distances(altered[[row]], views[[original]])[0, 0]
    people_R2 = np.repeat(person_N[originals_R][:, None], 2, axis=1)
    return Pairs(distances_R, people_R2)


@dataclass(frozen=True)
class CalibratedMatcher:
    """faces, views: templates of the real faces without and with views, in the order of the set."""

    matcher: Matcher
    faces: Templates
    views: Templates
    calibration: Calibration


def calibrate_matcher(
    matcher: Matcher, real: FaceSet, copies: FaceSet, run: RunDir, rng: np.random.Generator
) -> CalibratedMatcher:
    """Extract templates of the real faces and calibrate on all of them, members and non-members alike.

    copies: altered copies of real faces (alterations.copies_of). They are the genuine pairs of a matcher
    that does not recognise people, and of others where fewer than 5 people, or 10 pairs, have several photos.
    """
    views = matcher.extract(real, run, views=True)
    faces = matcher.extract(real, run) if matcher.recognises_people else views.first_view()
    people = [face.person for face in real]
    genuine, impostor = photo_pairs(faces, views, people, rng)
    source: GenuineSource = "photos"
    if not matcher.recognises_people or len(genuine) < ENOUGH_GENUINE or genuine.people < ENOUGH_PEOPLE:
        row_of = {face.id: row for row, face in enumerate(real.faces)}
        originals_R = np.array([row_of[face.parents[0]] for face in copies], np.intp)
        genuine, source = copy_pairs(matcher.extract(copies, run), views, originals_R, people), "copies"
    enrolled = (int(faces.enrolled_N.sum()), len(faces))
    calibration = calibrate(matcher.name, genuine, impostor, source, enrolled, rng)
    return CalibratedMatcher(matcher, faces, views, calibration)


def calibrate(
    matcher: str,
    genuine: Pairs,
    impostor: Pairs,
    genuine_source: GenuineSource,
    enrolled: tuple[int, int],
    rng: np.random.Generator,
) -> Calibration:
    """enrolled: the number of faces enrolled, and of all faces."""
    levels = tuple(_level(fmr, genuine, impostor, rng) for fmr in FMRS)
    curve_T3 = _curve(genuine.distances_P, impostor.distances_P)
    return Calibration(
        matcher,
        enrolled[1],
        enrolled[1] - enrolled[0],
        len(genuine),
        genuine.people,
        genuine_source,
        len(impostor),
        impostor.people,
        _equal_error(curve_T3),
        levels,
        _uninformative(levels[-1], genuine, impostor, enrolled),
        tuple((float(t), float(fmr), float(fnmr)) for t, fmr, fnmr in _thinned(curve_T3)),
        impostor_spread(impostor.distances_P) if len(impostor) else None,
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
    """The largest distance with at most this share of impostor pairs at or below it."""
    if len(ascending_P) < ENOUGH_IMPOSTOR:
        return None, "unreachable"
    allowed = int(fmr * len(ascending_P) + 1e-9)
    if allowed:
        last, following = ascending_P[allowed - 1], ascending_P[min(allowed, len(ascending_P) - 1)]
        return float(last if following > last else np.nextafter(last, -np.inf)), "measured"
    threshold = extrapolated_threshold(impostor_spread(ascending_P), fmr)
    if threshold is None:
        return None, "unreachable"
    return min(threshold, float(ascending_P[0])), "extrapolated"


def impostor_spread(impostor_P: NDArray[np.floating]) -> tuple[float, float]:
    """The median of the impostor distances, and its distance to their 16th percentile."""
    low, middle = np.quantile(impostor_P, (NormalDist().cdf(-1), 0.5))
    return float(middle), float(middle - low)


def rate_over_people(
    hits_P: NDArray[np.bool_], people_P2: NDArray[np.int64], rng: np.random.Generator
) -> tuple[float, float, float]:
    """The share of hits with a 95% interval: bootstrap over people, never narrower than Wilson's.

    In a resample, an impostor pair has the product of both people's multiplicities as its weight, and a
    genuine pair its person's. Wilson's interval takes the number of pairs of people (or of people) as the
    number of trials.
    """
    people, code_P2 = np.unique(people_P2, return_inverse=True)
    code_P2 = code_P2.reshape(people_P2.shape)
    count, single = len(people), bool((people_P2[:, 0] == people_P2[:, 1]).all())
    drawn_BQ = rng.multinomial(count, np.full(count, 1 / count), _RESAMPLES).astype(np.float32)
    hit_B, all_B = (
        _weighted(each_P, code_P2, drawn_BQ, single) for each_P in (hits_P, np.ones(len(hits_P), bool))
    )
    low, high = np.quantile(hit_B[all_B > 0] / all_B[all_B > 0], (0.025, 0.975))
    share = float(hits_P.mean())
    trials = count if single else len(np.unique(np.sort(code_P2, axis=1) @ (count, 1)))
    wilson_low, wilson_high = wilson_interval(round(share * trials), trials)
    return share, min(share, wilson_low, float(low)), max(share, wilson_high, float(high))


def _weighted(
    chosen_P: NDArray[np.bool_], code_P2: NDArray[np.int64], drawn_BQ: NDArray[np.float32], single: bool
) -> Floats:
    """The sum [B] of the weights of the chosen pairs in each resample."""
    from scipy.sparse import csr_array

    count = drawn_BQ.shape[1]
    if single:
        return drawn_BQ.astype(np.float64) @ np.bincount(code_P2[chosen_P, 0], minlength=count)
    places = (code_P2[chosen_P, 0], code_P2[chosen_P, 1])
    table_QQ = csr_array((np.ones(len(places[0]), np.float32), places), shape=(count, count))
    return np.asarray(np.einsum("qb,bq->b", table_QQ @ drawn_BQ.T, drawn_BQ))


def _curve(genuine_P: Floats, impostor_P: Floats) -> Floats:
    """Threshold, FMR and FNMR [T, 3] at every distinct distance."""
    places_T = np.unique(np.concatenate([genuine_P, impostor_P]))
    places_T = places_T[np.isfinite(places_T)]
    fmr_T = np.searchsorted(np.sort(impostor_P), places_T, "right") / max(len(impostor_P), 1)
    fnmr_T = 1 - np.searchsorted(np.sort(genuine_P), places_T, "right") / max(len(genuine_P), 1)
    return np.stack([places_T, fmr_T, fnmr_T], axis=1)


def _thinned(curve_T3: Floats) -> Floats:
    """At most _CURVE_POINTS of the points: half of them evenly spaced in FMR, half in FNMR."""
    if len(curve_T3) <= _CURVE_POINTS:
        return curve_T3
    grown_T = np.linspace(0, 1, _CURVE_POINTS // 2)
    by_fmr = np.searchsorted(curve_T3[:, 1], grown_T * curve_T3[-1, 1])
    by_fnmr = np.searchsorted(-curve_T3[:, 2], -curve_T3[0, 2] + grown_T * (curve_T3[0, 2] - curve_T3[-1, 2]))
    return curve_T3[np.unique(np.clip(np.concatenate([by_fmr, by_fnmr]), 0, len(curve_T3) - 1))]


def _equal_error(curve_T3: Floats) -> float | None:
    if not len(curve_T3):
        return None
    best = int(np.argmin(np.abs(curve_T3[:, 1] - curve_T3[:, 2])))
    return float(curve_T3[best, 1:].mean())


def _uninformative(level: Level, genuine: Pairs, impostor: Pairs, enrolled: tuple[int, int]) -> str | None:
    if enrolled[0] < _MIN_ENROLLED * enrolled[1]:
        return f"it finds a face in only {enrolled[0]} of {enrolled[1]} pictures"
    if len(impostor) < ENOUGH_IMPOSTOR:
        return f"{len(impostor)} impostor pairs are too few to calibrate it; {ENOUGH_IMPOSTOR} are needed"
    if len(genuine) < ENOUGH_GENUINE:
        return f"{len(genuine)} genuine pairs are too few to calibrate it; {ENOUGH_GENUINE} are needed"
    if level.fnmr is None or level.fnmr[0] > _MAX_FNMR:
        missed = "all" if level.fnmr is None else f"{level.fnmr[0]:.0%}"
        return f"at a false match rate of {level.target_fmr:.0%} it misses {missed} of the genuine pairs"
    return None
