"""Convolutions of short sequences with few multiplications, as small matrices along one axis.

y = pixels^T ((kernel w) * (data x)), with an elementwise product: M results y from M + 2 values x and 3 taps
w. In two dimensions, every matrix acts along both axes.

Sources: Toom-Cook evaluation and interpolation; Lavin & Gray 2016, "Fast algorithms for convolutional neural
networks". Instead of their points 0, +-1, +-2, ..., these points (0, pairs of opposite sign, and infinity)
minimise the variance of the rounding error, sum_p |data_p|^2 |kernel_p|^2 |pixels_p|^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

TAPS = 3
# Results -> the points, one of each pair.
_POINTS = {4: (0.0, 0.651, 1.535), 8: (0.0, 0.421, 0.809, 1.236, 2.378)}


@dataclass(frozen=True, eq=False)
class Algorithm:
    """The matrices [P, M + 2], [P, 3] and [P, M] of P = M + 2 products."""

    data_PS: Tensor
    kernel_PK: Tensor
    pixels_PM: Tensor

    @property
    def results(self) -> int:
        """M."""
        return self.pixels_PM.shape[1]


@lru_cache(maxsize=2)
def algorithm(results: int) -> Algorithm:
    """Taps and results are coefficients of polynomials, evaluated at the points and at infinity.

    Filtering is the transpose of multiplying polynomials, so the matrix of the data is that of interpolation,
    transposed.
    """
    points = [sign * point for point in _POINTS[results] for sign in ((1, -1) if point else (1,))]

    def evaluation(terms: int) -> np.ndarray:
        return np.vstack([np.vander(points, terms, increasing=True), np.eye(terms)[-1:]])

    data = np.linalg.inv(evaluation(results + TAPS - 1)).T
    matrices = (data, evaluation(TAPS), evaluation(results))
    return Algorithm(*(torch.from_numpy(matrix.astype(np.float64).copy()) for matrix in matrices))
