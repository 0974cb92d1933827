"""Memorisation: is the synthetic set nearer to members than to as many non-members?

Each measure is taken twice: with members as the reference that may have been copied and non-members as the
held-out sample (main), and with the two exchanged (control). Both sides have the same number of people, so a
generator that has memorised nobody gives the same value twice, whatever the measure's bias.
"""

# N real photos, M synthetic faces, P people, T photos of the reference, Q of the held-out sample, C cells,
# D features

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

from anonderm.audit.excess import ONE_SIDED_ERROR, Floats
from anonderm.core.results.audit import Arm, Attack, Excess
from anonderm.core.splits import shuffled

_BLOCKS = 10  # of people on either side, each left out once
_CELL = 40  # photos of the reference in a cell of the data-copying test, on average
_KMEANS_ROUNDS = 10
_FEWEST = 10  # rows of either kind that a cell needs to count
_CENTRES = 1000  # synthetic faces in the likelihood's mixture
_FIT_ROUNDS = 20
_NARROWEST = 1e-4  # of the mean variance: a centre that equals a photo would shrink to 0

Bools = NDArray[np.bool_]
Numbers = NDArray[np.floating]


@dataclass(frozen=True)
class Sets:
    """The synthetic faces and two sets of people: the reference, and the held-out sample.

    rows_ND of the real photos and synthetic_MD, with the distances between them and among the real ones;
    reference_N: photos of the reference; person_N: a number for each person.
    """

    rows_ND: Numbers
    synthetic_MD: Numbers
    across_MN: NDArray[np.float32]
    among_NN: NDArray[np.float32]
    reference_N: Bools
    person_N: NDArray[np.intp]

    def without(self, left_out_N: Bools) -> Sets:
        keep_N = ~left_out_N
        return Sets(
            self.rows_ND[keep_N],
            self.synthetic_MD,
            self.across_MN[:, keep_N],
            self.among_NN[np.ix_(keep_N, keep_N)],
            self.reference_N[keep_N],
            self.person_N[keep_N],
        )


def nearer(sets: Sets) -> float:
    """Share of synthetic faces nearer to the reference than to the held-out sample; ties count half."""
    reference_M = sets.across_MN[:, sets.reference_N].min(axis=1)
    sample_M = sets.across_MN[:, ~sets.reference_N].min(axis=1)
    return float(np.mean((reference_M < sample_M) + 0.5 * (reference_M == sample_M)))


def authentic(sets: Sets) -> float:
    """AuthPct: share of synthetic faces no nearer to their nearest photo than another person is to it.

    Source: Alaa et al. 2022 ("How Faithful is your Synthetic Data?"), authenticity; other photos of
    the same person do not count.
    """
    across_MT = sets.across_MN[:, sets.reference_N]
    among_TT = sets.among_NN[np.ix_(sets.reference_N, sets.reference_N)].copy()
    person_T = sets.person_N[sets.reference_N]
    among_TT[person_T[:, None] == person_T[None]] = np.inf
    nearest_M = across_MT.argmin(axis=1)
    own_M = among_TT.min(axis=1)[nearest_M]
    return float(np.mean(across_MT[np.arange(len(across_MT)), nearest_M] >= own_M))


def distance_ratio(sets: Sets) -> float:
    """Distance to the nearest person of the reference over that to the second nearest, the median.

    Near 0 for copies, near 1 for unrelated faces; "nearest neighbour distance ratio" of Platzer & Reutterer
    2021 ("Holdout-Based Empirical Assessment of Mixed-Type Synthetic Data"), by person.
    """
    person_T = sets.person_N[sets.reference_N]
    order_T = np.argsort(person_T, kind="stable")
    starts = np.flatnonzero(np.diff(person_T[order_T], prepend=-1))
    by_person_MP = np.minimum.reduceat(sets.across_MN[:, sets.reference_N][:, order_T], starts, axis=1)
    two_M2 = np.partition(by_person_MP, 1, axis=1)[:, :2]
    return float(np.median(two_M2[:, 0] / np.maximum(two_M2[:, 1], 1e-12)))


def _data_copying(sets: Sets) -> float:
    is_reference_N = sets.reference_N
    among_QT = sets.among_NN[np.ix_(~is_reference_N, is_reference_N)]
    across_MT = sets.across_MN[:, is_reference_N]
    reference_TD, sample_QD = sets.rows_ND[is_reference_N], sets.rows_ND[~is_reference_N]
    return data_copying(reference_TD, sample_QD, sets.synthetic_MD, among_QT, across_MT)


def _likelihood_gap(sets: Sets) -> float:
    squared_NM = sets.across_MN[:_CENTRES].T.astype(float) ** 2
    is_reference_N = sets.reference_N
    return likelihood_gap(squared_NM[is_reference_N], squared_NM[~is_reference_N], sets.rows_ND.shape[1])


def data_copying(
    reference_TD: Numbers,
    sample_QD: Numbers,
    synthetic_MD: Numbers,
    sample_QT: Numbers,
    synthetic_MT: Numbers,
) -> float:
    """C_T: the mean over cells of the standardised U of two sets of distances, weighted by held-out rows.

    sample_QT, synthetic_MT: distances to the rows of the reference. About 0, with deviation about 1, if the
    synthetic faces are as far from the reference as held-out ones; far below 0 if they are nearer. Cells with
    too few rows of either kind do not count (their tau). 0 if no cell counts. Source: Meehan, Chaudhuri &
    Dasgupta 2020 ("A Non-Parametric Test to Detect Data-Copying in Generative Models"), Z_U, C_T.
    """
    cells_T, cells_Q, cells_M = _cells(reference_TD, sample_QD, synthetic_MD)
    total, weight = 0.0, 0
    for cell in range(int(cells_T.max()) + 1):
        in_T, in_Q, in_M = cells_T == cell, cells_Q == cell, cells_M == cell
        if not in_T.any() or min(in_Q.sum(), in_M.sum()) < _FEWEST:
            continue
        held_out, synthetic = (rows[:, in_T].min(axis=1) for rows in (sample_QT[in_Q], synthetic_MT[in_M]))
        total += int(in_Q.sum()) * standardised_u(held_out, synthetic)
        weight += int(in_Q.sum())
    return total / weight if weight else 0.0


def standardised_u(held_out_Q: Numbers, synthetic_M: Numbers) -> float:
    """How often a synthetic value exceeds a held-out one: Mann and Whitney's U, standardised."""
    from scipy.stats import mannwhitneyu

    n, m = len(held_out_Q), len(synthetic_M)
    u = float(mannwhitneyu(synthetic_M, held_out_Q, method="asymptotic").statistic)
    return float((u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))


def _cells(reference_TD: Numbers, sample_QD: Numbers, synthetic_MD: Numbers) -> list[NDArray[np.intp]]:
    """The cell of each row of each set, by k-means on the reference; the same for the same rows."""
    from scipy.spatial.distance import cdist
    from sklearn.cluster import KMeans

    rows_TD = np.asarray(reference_TD, float)
    count = max(1, len(rows_TD) // _CELL)
    start_CD = rows_TD[np.random.default_rng(0).permutation(len(rows_TD))[:count]]
    found = KMeans(count, init=start_CD, n_init=1, max_iter=_KMEANS_ROUNDS, tol=0).fit(rows_TD)
    return [cdist(rows, found.cluster_centers_).argmin(axis=1) for rows in (rows_TD, sample_QD, synthetic_MD)]


def likelihood_gap(fitted_NM: Floats, other_QM: Floats, dimensions: int) -> float:
    """100 / D times the mean log likelihood of the fitted photos, minus that of the others.

    fitted_NM, other_QM: squared distances from the synthetic faces, which are the centres of a mixture of
    Gaussians whose widths are fitted to a set of photos. A centre that copies a photo shrinks onto it, which
    makes that set more likely than others. Source: Jiralerspong et al. 2023 (Feature Likelihood Divergence),
    with the same scale; the widths are fitted by expectation maximisation instead of gradient steps, to a
    fixed point of the same likelihood.
    """
    variance_M = fit_variances(fitted_NM, dimensions)
    fitted, other = (log_likelihood(each, variance_M, dimensions).mean() for each in (fitted_NM, other_QM))
    return float(100 / dimensions * (fitted - other))


def fit_variances(squared_NM: Floats, dimensions: int, rounds: int = _FIT_ROUNDS) -> Floats:
    """The variance [M] of each centre per coordinate; no round lowers the likelihood of the photos."""
    start = max(float(squared_NM.min(axis=1).mean()) / dimensions, 1e-12)
    floor, variance_M = _NARROWEST * start, np.full(squared_NM.shape[1], start)
    for _ in range(rounds):
        share_NM = softmax(_log_parts(squared_NM, variance_M, dimensions), axis=1)
        weight_M = share_NM.sum(axis=0)
        mean_M = np.einsum("nm,nm->m", share_NM, squared_NM) / np.maximum(weight_M * dimensions, 1e-300)
        variance_M = np.where(weight_M > 1e-12, np.maximum(mean_M, floor), variance_M)
    return variance_M


def log_likelihood(squared_NM: Floats, variance_M: Floats, dimensions: int) -> Floats:
    """Of each photo [N] under the mixture of all centres, equally weighted."""
    return np.asarray(logsumexp(_log_parts(squared_NM, variance_M, dimensions), axis=1))


def _log_parts(squared_NM: Floats, variance_M: Floats, dimensions: int) -> Floats:
    widths_M = dimensions / 2 * np.log(2 * np.pi * variance_M)
    return np.asarray(-squared_NM / (2 * variance_M) - widths_M - np.log(len(variance_M)))


@dataclass(frozen=True)
class _Measure:
    """`sign`: +1 where copying raises the value, -1 where it lowers it."""

    function: Callable[[Sets], float]
    sign: int
    baseline: float | None
    note: str


MEASURES = {
    "nearer": _Measure(nearer, 1, 0.5, "share of synthetic faces nearer to this side than to the other"),
    "AuthPct": _Measure(authentic, -1, None, "share of authentic faces (Alaa et al. 2022); copies lower it"),
    "distance ratio": _Measure(
        distance_ratio, -1, None, "nearest person over second nearest; copies lower it"
    ),
    "C_T": _Measure(_data_copying, -1, 0.0, "data-copying test (Meehan et al. 2020); far below 0 for copies"),
    "FLD gap": _Measure(
        _likelihood_gap,
        1,
        None,
        "log likelihood of this side less that of the other (Jiralerspong et al. 2023)",
    ),
}


def memorisation(matcher: str, sets: Sets, rng: np.random.Generator) -> list[Attack]:
    """Every measure with the members as the reference, and with the two sides exchanged.

    The excess is the difference of the two, with the sign that makes it positive for copies. Interval:
    delete-a-group jackknife over people (Kott 2001) with Student's t. Both sides need 2 people.
    """
    values = _both_ways(sets)
    blocks_N = _blocks(sets, rng)
    count = int(blocks_N.max()) + 1
    leaving = [_both_ways(sets.without(blocks_N == block)) for block in range(count)]
    return [
        _attack(name, measure, matcher, values[name], [each[name] for each in leaving], sets)
        for name, measure in MEASURES.items()
    ]


def _both_ways(sets: Sets) -> dict[str, tuple[float, float]]:
    exchanged = replace(sets, reference_N=~sets.reference_N)
    return {name: (each.function(sets), each.function(exchanged)) for name, each in MEASURES.items()}


def _blocks(sets: Sets, rng: np.random.Generator) -> NDArray[np.intp]:
    """The block [N] of each photo; a block holds equally many people of both sides, drawn at random."""
    block_P = np.empty(int(sets.person_N.max()) + 1, np.intp)
    sides = [shuffled(sets.person_N[side_N], rng) for side_N in (sets.reference_N, ~sets.reference_N)]
    count = min(_BLOCKS, *map(len, sides))
    for side in sides:
        block_P[side] = np.arange(len(side)) % count
    return block_P[sets.person_N]


def _attack(
    name: str,
    measure: _Measure,
    matcher: str,
    values: tuple[float, float],
    leaving: list[tuple[float, float]],
    sets: Sets,
) -> Attack:
    from scipy.stats import t

    replicates_B2 = np.array(leaving)
    degrees = len(leaving) - 1
    differences_B = measure.sign * (replicates_B2[:, 0] - replicates_B2[:, 1])
    value = measure.sign * (values[0] - values[1])
    deviation, *each = (np.sqrt(degrees * part.var()) for part in (differences_B, *replicates_B2.T))
    wide, wider = (float(t.ppf(1 - tail, degrees)) for tail in (0.025, ONE_SIDED_ERROR))
    people = [len(np.unique(sets.person_N[side])) for side in (sets.reference_N, ~sets.reference_N)]
    main, control = (
        Arm(value, value - wide * spread, value + wide * spread, count)
        for value, spread, count in zip(values, each, people, strict=True)
    )
    excess = Excess(value, value - wide * deviation, value + wide * deviation, value - wider * deviation)
    return Attack("memorisation", matcher, name, main, control, measure.baseline, excess, measure.note)


def equal_sides(
    owners: Sequence[str], reference_N: Bools, most: int, rng: np.random.Generator
) -> tuple[Bools, Bools]:
    """The rows of each side, with equally many people, at most `most`, drawn at random."""
    names_N = np.array(owners, str)
    sides = [shuffled(names_N[side], rng) for side in (reference_N, ~reference_N)]
    count = min(most, *map(len, sides))
    one, two = (np.isin(names_N, side[:count]) for side in sides)
    return one & reference_N, two & ~reference_N
