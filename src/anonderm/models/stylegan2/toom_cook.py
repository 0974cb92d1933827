"""Convolutions of short pieces with fewer multiplications, as small matrices along one axis.

y = pixels' ((kernel w) * (data x)), products element by element: M results y from S numbers x and a kernel w.
In two dimensions every matrix acts along both axes.

Sources: Toom-Cook's evaluation and interpolation; Lavin & Gray 2016, "Fast algorithms for convolutional
neural networks". Their points 0, +-1, +-2, ... are replaced: these minimise the rounding error's variance,
sum_p |data_p|^2 |kernel_p|^2 |pixels_p|^2, over points that are 0, pairs of opposite sign, and infinity.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_TAPS = 3
_BLUR = (1 / 8, 3 / 8, 3 / 8, 1 / 8)
# Results and taps -> the points, one of each pair.
_POINTS = {
    (4, 2): (0.389, 1.270),
    (4, 3): (0.0, 0.651, 1.535),
    (8, 3): (0.0, 0.421, 0.809, 1.236, 2.378),
}

_Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Algorithm:
    """The matrices [P, S], [P, 3] and [P, M], and how pieces lie in a map.

    Each piece begins `step` pixels after the last; the first, `before` pixels outside the map, which is zero
    there. Its results lie next to each other.
    """

    data_PS: Tensor
    kernel_PK: Tensor
    pixels_PM: Tensor
    step: int
    before: int

    @property
    def results(self) -> int:
        """M."""
        return self.pixels_PM.shape[1]


@lru_cache(maxsize=8)
def plain(results: int) -> Algorithm:
    """3 taps with zero padding 1: results + 2 products instead of 3 x results."""
    return _algorithm(*_toom_cook(results, _TAPS), step=results, before=1)


@lru_cache(maxsize=8)
def halving(gain: float) -> Algorithm:
    """The low-pass [1, 3, 3, 1] with zero padding 2, then 3 taps with stride 2: four results, 9 products.

    Of the low-passed pixels, the even ones meet the outer taps, four results of a kernel of two; the odd
    ones meet the middle tap, one product each. The low-pass is part of the data's matrix, as is `gain`.
    """
    results = 4
    data, kernel, pixels = _toom_cook(results, 2)
    smooth = 2 * results + 1
    apart = np.zeros((smooth, smooth))
    apart[: results + 1, 0::2] = data
    apart[results + 1 :, 1::2] = np.eye(results)
    taps = np.zeros((smooth, _TAPS))
    taps[: results + 1, 0::2] = kernel
    taps[results + 1 :, 1] = 1
    blur = sum(np.eye(smooth, smooth + len(_BLUR) - 1, place) * tap for place, tap in enumerate(_BLUR))
    pixels = np.vstack([pixels, np.eye(results)])
    return _algorithm(apart @ (blur * gain), taps, pixels, step=2 * results, before=2)


def _algorithm(*matrices: _Matrix, step: int, before: int) -> Algorithm:
    data, kernel, pixels = (torch.from_numpy(matrix.copy()) for matrix in matrices)
    return Algorithm(data, kernel, pixels, step, before)


def _toom_cook(results: int, taps: int) -> tuple[_Matrix, _Matrix, _Matrix]:
    """Kernel and results are polynomials' coefficients, evaluated at the points and at infinity.

    A filter transposes the product of polynomials; so the data's matrix is the interpolation's transpose.
    """
    points = [sign * point for point in _POINTS[results, taps] for sign in ((1, -1) if point else (1,))]

    def evaluation(terms: int) -> _Matrix:
        infinity = np.eye(terms)[-1:]
        return np.vstack([np.vander(points, terms, increasing=True), infinity])

    data = np.linalg.inv(evaluation(results + taps - 1)).T.astype(np.float64)
    return data, evaluation(taps), evaluation(results)
