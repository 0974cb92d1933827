"""C_T, the data-copying test: are synthetic faces nearer to the reference than a held-out sample is?

Source: Meehan, Chaudhuri & Dasgupta 2020 ("A Non-Parametric Test to Detect Data-Copying in Generative
Models").
"""

# T rows of the reference, Q of the held-out sample, M synthetic, D features, C cells

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
    """C_T: the mean over cells of the standardised U of two sets of distances, weighted by held-out rows.

    sample_QT, synthetic_MT: distances to the rows of the reference. About 0, with deviation about 1, if the
    synthetic faces are as far from the reference as held-out ones; far below 0 if they are nearer. Cells with
    too few rows of either kind do not count (their tau). 0 if no cell counts. Source: Meehan et al., Z_U,
    C_T.
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


def standardised_u(held_out_Q: Values, synthetic_M: Values) -> float:
    """How often a synthetic value exceeds a held-out one: Mann and Whitney's U, standardised."""
    from scipy.stats import mannwhitneyu

    n, m = len(held_out_Q), len(synthetic_M)
    u = float(mannwhitneyu(synthetic_M, held_out_Q, method="asymptotic").statistic)
    return float((u - n * m / 2) / np.sqrt(n * m * (n + m + 1) / 12))


def _cells(reference_TD: Values, sample_QD: Values, synthetic_MD: Values) -> list[NDArray[np.intp]]:
    """The cell of each row of each set, by k-means on the reference; the same for the same rows."""
    from scipy.spatial.distance import cdist
    from sklearn.cluster import KMeans

    rows_TD = np.asarray(reference_TD, float)
    count = max(1, len(rows_TD) // _CELL)
    start_CD = rows_TD[np.random.default_rng(0).permutation(len(rows_TD))[:count]]
    centres_CD = KMeans(count, init=start_CD, n_init=1, max_iter=_ROUNDS, tol=0).fit(rows_TD).cluster_centers_
    return [cdist(rows, centres_CD).argmin(axis=1) for rows in (rows_TD, sample_QD, synthetic_MD)]
