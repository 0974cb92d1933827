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
from anonderm.evaluate.bootstrap import rows_by_group

Floats = NDArray[np.float64]

_BLOCK_ELEMENTS = 2**22


def frechet_distance(real_ND: ArrayLike, fake_MD: ArrayLike) -> float:
    """Squared Frechet distance between two Gaussians fitted to embeddings.

    With covariances factored as R'R, the trace of the root of their product is the nuclear norm of
    R_real R_fake', so no matrix root is taken and nothing can turn negative or complex.
    Raises TooFewImages below D + 1 rows: the fitted covariance would be singular, and its bias would outweigh
    the distance. Source: Heusel et al. 2017, eq. 6.
    """
    real, fake = _float64(real_ND), _float64(fake_MD)
    _need_rows(real, real.shape[1] + 1, "the Frechet distance")
    _need_rows(fake, fake.shape[1] + 1, "the Frechet distance")
    root_real_DD, root_fake_DD = _covariance_root(real), _covariance_root(fake)
    means = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    traces = np.sum(root_real_DD**2) + np.sum(root_fake_DD**2)
    overlap = np.linalg.svd(root_real_DD @ root_fake_DD.T, compute_uv=False).sum()
    return max(0.0, float(means + traces - 2.0 * overlap))


def _covariance_root(rows_ND: Floats) -> Floats:
    """R [D, D] with R'R the unbiased covariance."""
    centred = rows_ND - rows_ND.mean(axis=0)
    root_DD: Floats = np.linalg.qr(centred / np.sqrt(len(rows_ND) - 1), mode="r")  # type: ignore[assignment]
    return root_DD


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


def prdc(real_ND: ArrayLike, fake_MD: ArrayLike, k: int = 5) -> dict[str, float]:
    """Precision, recall, density and coverage over balls that reach to each image's k-th neighbour.

    precision  share of synthetic images inside the ball of some real image
    recall     share of real images inside the ball of some synthetic image
    density    mean number of real balls a synthetic image lies in, over k; 1 for equal sets, may exceed 1
    coverage   share of real balls that hold a synthetic image

    Raises TooFewImages below k + 1 rows. Sources: Kynkaanniemi et al. 2019, eq. 1 and 2; Naeem et al. 2020,
    eq. 4 and 5; balls are open, as in the authors' code.
    """
    from scipy.spatial.distance import cdist

    real, fake = _float64(real_ND), _float64(fake_MD)
    _need_rows(real, k + 1, f"precision and recall with k = {k}")
    _need_rows(fake, k + 1, f"precision and recall with k = {k}")
    reach_real_N, reach_fake_M = _neighbour_reach(real, k), _neighbour_reach(fake, k)
    real_balls_M = np.zeros(len(fake))
    recalled_N, covered_N = np.zeros(len(real), bool), np.zeros(len(real), bool)
    for rows in _blocks(real, fake):
        distances_BM = cdist(real[rows], fake)
        inside_real_BM = distances_BM < reach_real_N[rows, None]
        real_balls_M += inside_real_BM.sum(axis=0)
        covered_N[rows] = inside_real_BM.any(axis=1)
        recalled_N[rows] = (distances_BM < reach_fake_M).any(axis=1)
    return {
        "precision": float(np.mean(real_balls_M > 0)),
        "recall": float(recalled_N.mean()),
        "density": float(real_balls_M.mean() / k),
        "coverage": float(covered_N.mean()),
    }


def _neighbour_reach(rows_ND: Floats, k: int) -> Floats:
    """Distance [N] of each row to its k-th neighbour; the nearest hit is the row itself."""
    return nearest(rows_ND, rows_ND, k + 1)[0][:, k]


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
