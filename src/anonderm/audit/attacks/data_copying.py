"""C_T, the data-copying test: do synthetic faces lie nearer to the reference than honest ones do, place by
place?

Source: Meehan, Chaudhuri & Dasgupta 2020 ("A Non-Parametric Test to Detect Data-Copying in Generative
Models").
"""

# T rows of the reference, Q of the honest sample, M synthetic, D features, C cells

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]

_CELL = 40  # rows of the reference in a cell, on average
_ROUNDS = 10  # of k-means
_FEWEST = 10  # rows of either kind that a cell needs to count


def data_copying(
    reference_TD: Values, sample_QD: Values, synthetic_MD: Values, sample_QT: Values, synthetic_MT: Values
) -> float:
    """C_T: the mean over cells of the standardised U of two sets of distances, weighted by the honest sample.

    sample_QT, synthetic_MT: distances to the rows of the reference. Around 0, with deviation about 1, where
    the synthetic faces are as far from the reference as honest ones; far below 0 where they are nearer. The
    cells are those of k-means on the reference; one with too few of either kind does not count (their tau). 0
    where no cell counts. Source: Meehan et al., Z_U and C_T.
    """
    cells_T, cells_Q, cells_M = _cells(reference_TD, sample_QD, synthetic_MD)
    total, weight = 0.0, 0
    for cell in range(int(cells_T.max()) + 1):
        in_T, in_Q, in_M = cells_T == cell, cells_Q == cell, cells_M == cell
        if not in_T.any() or min(in_Q.sum(), in_M.sum()) < _FEWEST:
            continue
        honest, synthetic = (rows[:, in_T].min(axis=1) for rows in (sample_QT[in_Q], synthetic_MT[in_M]))
        total += int(in_Q.sum()) * standardised_u(honest, synthetic)
        weight += int(in_Q.sum())
    return total / weight if weight else 0.0


def standardised_u(honest_Q: Values, synthetic_M: Values) -> float:
    """How often a synthetic value exceeds an honest one: Mann and Whitney's U, standardised."""
    ordered_Q, honest, synthetic = np.sort(honest_Q), len(honest_Q), len(synthetic_M)
    places_2M = [np.searchsorted(ordered_Q, synthetic_M, side) for side in ("left", "right")]
    u = float(np.sum(places_2M)) / 2
    deviation = np.sqrt(honest * synthetic * (honest + synthetic + 1) / 12)
    return float((u - honest * synthetic / 2) / deviation)


def _cells(reference_TD: Values, sample_QD: Values, synthetic_MD: Values) -> list[NDArray[np.intp]]:
    """The cell of each row of each set; always the same for the same rows."""
    from scipy.spatial.distance import cdist

    centres_CD = _centres(np.asarray(reference_TD, float))
    return [cdist(rows, centres_CD).argmin(axis=1) for rows in (reference_TD, sample_QD, synthetic_MD)]


def _centres(rows_TD: NDArray[np.float64]) -> NDArray[np.float64]:
    """k-means from rows drawn at random; a centre that loses all its rows stays where it is."""
    from scipy.spatial.distance import cdist

    count = max(1, len(rows_TD) // _CELL)
    centres_CD = rows_TD[np.random.default_rng(0).permutation(len(rows_TD))[:count]].copy()
    for _ in range(_ROUNDS):
        cell_T = cdist(rows_TD, centres_CD).argmin(axis=1)
        for cell in np.unique(cell_T):
            centres_CD[cell] = rows_TD[cell_T == cell].mean(axis=0)
    return centres_CD
