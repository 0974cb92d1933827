"""Distances between two sets of embeddings, in plain numpy.

Every function takes float arrays with one row an image; they are compared in float64, block by block, so
that memory stays bounded.
"""

# N real images, M synthetic images, D features, B rows of a block, K neighbours

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonderm.core.errors import TooFewImages
from anonderm.core.splits import rows_by_group

Floats = NDArray[np.float64]

_BLOCK_ELEMENTS = 2**22


def kernel_distance(
    real_ND: ArrayLike,
    fake_MD: ArrayLike,
    real_people: Sequence[Hashable] | None = None,
    fake_people: Sequence[Hashable] | None = None,
) -> float:
    """Squared maximum mean discrepancy under the kernel (x.y / D + 1)^3: unbiased, so it may fall below 0.

    real_people, fake_people: whose image each row is; without them every row is another person's. Images of
    one person are alike because of the person, so pairs of them don't count towards how alike a set is.
    Raises TooFewImages below 2 rows or 2 people. Sources: Binkowski et al. 2018, sec. 4; Gretton et al. 2012,
    eq. 3.
    """
    real, fake = _float64(real_ND), _float64(fake_MD)
    _need_rows(real, 2, "the kernel distance")
    _need_rows(fake, 2, "the kernel distance")
    across = _kernel_sum(real, fake) / (len(real) * len(fake))
    return _mean_kernel(real, real_people) + _mean_kernel(fake, fake_people) - 2.0 * across


def _mean_kernel(rows_ND: Floats, people: Sequence[Hashable] | None) -> float:
    """Mean over the pairs of rows that show two different people."""
    groups = rows_by_group(range(len(rows_ND)) if people is None else people)
    if len(groups) < 2:
        raise TooFewImages("the kernel distance needs images of at least 2 people a set.")
    total = _kernel_sum(rows_ND, rows_ND) - sum(_kernel_sum(rows_ND[rows], rows_ND[rows]) for rows in groups)
    return total / (len(rows_ND) ** 2 - sum(len(rows) ** 2 for rows in groups))


def _kernel_sum(a_ND: Floats, b_MD: Floats) -> float:
    total = 0.0
    for rows in _blocks(a_ND, b_MD):
        products_BM = a_ND[rows] @ b_MD.T / a_ND.shape[1] + 1
        total += float((products_BM * products_BM * products_BM).sum())  # many times as fast as ** 3
    return total


def nearest(query_MD: ArrayLike, reference_ND: ArrayLike, k: int = 1) -> tuple[Floats, NDArray[np.intp]]:
    """The k nearest reference rows of each query row: Euclidean distances [M, K] ascending, indices [M, K].

    Exact (differences, not dot products), so that a copy is at distance 0. Raises TooFewImages where the
    reference has fewer than k rows.
    """
    from scipy.spatial.distance import cdist

    query, reference = _float64(query_MD), _float64(reference_ND)
    _need_rows(reference, k, f"a search for {k} neighbours")
    distances = np.empty((len(query), k))
    indices = np.empty((len(query), k), np.intp)
    for rows in _blocks(query, reference):
        block_BN = cdist(query[rows], reference)
        near_BK = np.argpartition(block_BN, k - 1, axis=1)[:, :k]
        near_distances_BK = np.take_along_axis(block_BN, near_BK, axis=1)
        order_BK = np.lexsort((near_BK, near_distances_BK), axis=1)
        distances[rows] = np.take_along_axis(near_distances_BK, order_BK, axis=1)
        indices[rows] = np.take_along_axis(near_BK, order_BK, axis=1)
    return distances, indices


def _float64(rows: ArrayLike) -> Floats:
    return np.asarray(rows, dtype=np.float64)


def _blocks(a_ND: Floats, b_MD: Floats) -> Iterator[slice]:
    """Row ranges of `a` whose table against `b` stays below _BLOCK_ELEMENTS."""
    step = max(1, _BLOCK_ELEMENTS // max(1, len(b_MD)))
    return (slice(start, start + step) for start in range(0, len(a_ND), step))


def _need_rows(rows_ND: Floats, count: int, purpose: str) -> None:
    if len(rows_ND) < count:
        raise TooFewImages(f"{purpose} needs at least {count} images a set, and one set has {len(rows_ND)}.")
