"""Gaussians fitted to embeddings, with the root of their covariance.

For few images the root is computed from the images themselves, which loses no precision however singular the
covariance is. Many images are first summed into a scatter matrix, which is several times faster.
"""

# N images, D features, R rank of a covariance

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonderm.core.errors import TooFewImages

Floats = NDArray[np.float64]

_CHUNK = 4096
_MANY = 4  # images for each feature


@dataclass(frozen=True)
class Gaussian:
    """Fitted to `count` images: mean [D], and a root R [R, D] of the unbiased covariance R'R."""

    count: int
    mean_D: Floats
    root_RD: Floats

    @staticmethod
    def of(rows_ND: ArrayLike) -> Gaussian:
        """Raises TooFewImages below 2 rows."""
        rows = np.asarray(rows_ND)
        if len(rows) < 2:
            raise TooFewImages(f"the Frechet distance needs at least 2 images a set, one has {len(rows)}.")
        if len(rows) >= _MANY * rows.shape[1]:
            return Scatter.of(rows).gaussian()
        mean_D = rows.mean(axis=0, dtype=np.float64)
        root_RD: Floats = np.linalg.qr(rows - mean_D, mode="r")  # type: ignore[assignment]
        return Gaussian(len(rows), mean_D, root_RD / np.sqrt(len(rows) - 1))


@dataclass(frozen=True)
class Scatter:
    """The mean [D] of `count` images, and the sum [D, D] of the outer products of their deviations."""

    count: int
    mean_D: Floats
    sum_DD: Floats

    @staticmethod
    def of(rows_ND: NDArray[np.floating]) -> Scatter:
        mean_D = rows_ND.mean(axis=0, dtype=np.float64)
        sum_DD = np.zeros((len(mean_D), len(mean_D)))
        for start in range(0, len(rows_ND), _CHUNK):
            centred_CD = rows_ND[start : start + _CHUNK] - mean_D
            sum_DD += centred_CD.T @ centred_CD
        return Scatter(len(rows_ND), mean_D, sum_DD)

    def joined(self, other: Scatter) -> Scatter:
        """The scatter of the images of both."""
        count = self.count + other.count
        apart_D = np.sqrt(self.count * other.count / count) * (self.mean_D - other.mean_D)
        mean_D = (self.count * self.mean_D + other.count * other.mean_D) / count
        return Scatter(count, mean_D, self.sum_DD + other.sum_DD + np.outer(apart_D, apart_D))

    def gaussian(self) -> Gaussian:
        """By a pivoted Cholesky factor, which also handles singular covariances."""
        from scipy.linalg.lapack import dpstrf

        factor_DD, pivot_D, rank, _ = dpstrf(self.sum_DD)
        root_RD = np.empty((rank, len(pivot_D)))
        root_RD[:, pivot_D - 1] = np.triu(factor_DD)[:rank]
        return Gaussian(self.count, self.mean_D, root_RD / np.sqrt(self.count - 1))
