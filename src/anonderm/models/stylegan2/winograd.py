"""Winograd's minimal filtering: 3 x 3 convolutions with a fifth of the multiplications, for float32 on CPUs.

<convolution(x, w), y> is linear in x, w and y. Each is cut into tiles and transformed separately, into P x P
matrices of tiles (or channels) by channels; the convolution and its two transposes are then P x P matrix
products of two of the three.

The transforms are Toom-Cook evaluation and interpolation: y = pixels^T ((kernel w) * (data x)), with an
elementwise product; in two dimensions, every matrix acts along both axes. Source: Lavin & Gray 2016, "Fast
algorithms for convolutional neural networks". Instead of their points 0, +-1, +-2, ..., these points (0,
pairs of opposite sign, and infinity) minimise the variance of the rounding error, sum_p |data_p|^2
|kernel_p|^2 |pixels_p|^2.

N images, I / O channels of x / y, H x W pixels, T tiles, P products an axis; S x S pixels of x and M x M of y
in a tile, L values in a row of a transform. Weights are [O, I, 3, 3]; maps are in channels_last; padding is
1.
"""

# Networks of paper width in float32, one thread of an AMD EPYC (Zen 5): with libraries restricted to AVX2,
# training is 2.0 times and generation 1.8 times as fast as without; with AVX512, 1.3 and 1.26 times. The tiny
# preset trains 7% slower with AVX512. Training in bfloat16, the default on such CPUs, does not use it.
# benchmarks/winograd_speed.py; results/winograd_speed.json and winograd_parts.json.

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

TAPS = 3
# Results -> the points, one of each pair.
_POINTS = {4: (0.0, 0.651, 1.535), 8: (0.0, 0.421, 0.809, 1.236, 2.378)}
# Pixels of an output tile, and the numbers of channels and tiles from which it is faster.
_SMALL, _LARGE = 4, 8
_MIN_CHANNELS = {_SMALL: 128, _LARGE: 64}
_MIN_CHANNELS_FOR_WEIGHTS = 48
_MIN_TILES = {_SMALL: 32, _LARGE: 128}
_CHUNK = 1 << 14  # values per pixel of a tile to transform at a time, so that tiles stay in the cache


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
def toom_cook(results: int) -> Algorithm:
    """Toom-Cook: taps and results are coefficients of polynomials, evaluated at the points and at infinity.

    Filtering is the transpose of multiplying polynomials, so the matrix of the data is that of interpolation,
    transposed.
    """
    points = [sign * point for point in _POINTS[results] for sign in ((1, -1) if point else (1,))]

    def evaluation(terms: int) -> np.ndarray:
        return np.vstack([np.vander(points, terms, increasing=True), np.eye(terms)[-1:]])

    data = np.linalg.inv(evaluation(results + TAPS - 1)).T
    matrices = (data, evaluation(TAPS), evaluation(results))
    return Algorithm(*(torch.from_numpy(matrix.astype(np.float64).copy()) for matrix in matrices))


def choose(x_NIHW: Tensor, weight_OIkk: Tensor, *, weights: bool = False) -> Algorithm | None:
    """The fastest algorithm for a 3 x 3 convolution with padding 1; None if the library's kernels are faster.

    `weights`: for `weight_gradient`, which is faster from fewer channels on. Never for a network that is
    being exported, whose number of images is open.
    """
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return None
    if x_NIHW.device.type != "cpu" or x_NIHW.dtype != torch.float32 or weight_OIkk.shape[2:] != (3, 3):
        return None
    for side in (_LARGE, _SMALL):
        channels = _MIN_CHANNELS_FOR_WEIGHTS if weights else _MIN_CHANNELS[side]
        if min(weight_OIkk.shape[:2]) >= channels and _tiles(x_NIHW, side) >= _MIN_TILES[side]:
            return toom_cook(side)
    return None


def _tiles(x_NCHW: Tensor, side: int) -> int:
    """The number of tiles; 0 if they do not fit."""
    n, _, h, w = x_NCHW.shape
    return 0 if h % side or w % side else n * (h // side) * (w // side)


def convolution(x_NIHW: Tensor, weight_OIkk: Tensor, algorithm: Algorithm) -> Tensor:
    """y [N, O, H, W]."""
    x_PPTI = _transformed(x_NIHW, algorithm.data_PS, algorithm.results)
    y_PPTO = _products(x_PPTI, _kernel(weight_OIkk, algorithm).transpose(2, 3))
    matrix_MP = algorithm.pixels_PM.to(x_NIHW.dtype).T.contiguous()
    (n, _, h, w), c, side = x_NIHW.shape, y_PPTO.shape[3], len(matrix_MP)
    rows, columns = h // side, w // side
    y_NHWO = y_PPTO.new_empty(n, h, w, c)
    for some, place in _chunks(n, rows * columns, c):
        tiles = _from_products(matrix_MP, y_PPTO[:, :, place]).view(side, side, -1, rows, columns, c)
        whole = y_NHWO[some].view(-1, rows, side, columns, side, c)
        whole.copy_(tiles.permute(2, 3, 0, 4, 1, 5))
    return y_NHWO.permute(0, 3, 1, 2)


def adjoint(y_NOHW: Tensor, weight_OIkk: Tensor, algorithm: Algorithm) -> Tensor:
    """The transpose of the convolution in x: [N, I, H, W]."""
    y_PPTO = _transformed(y_NOHW, algorithm.pixels_PM, algorithm.results)
    x_PPTI = _products(y_PPTO, _kernel(weight_OIkk, algorithm))
    matrix_SP = algorithm.data_PS.to(y_NOHW.dtype).T.contiguous()
    (n, _, h, w), c, side, step = y_NOHW.shape, x_PPTI.shape[3], len(matrix_SP), algorithm.results
    rows, columns = h // step, w // step
    x_NHWI = x_PPTI.new_empty(n, h, w, c)
    for some, place in _chunks(n, rows * columns, c):
        tiles = _from_products(matrix_SP, x_PPTI[:, :, place]).view(side, side, -1, rows, columns, c)
        x_NHWI[some] = _overlapped(tiles.permute(2, 3, 0, 4, 1, 5), step)[:, 1 : 1 + h, 1 : 1 + w]
    return x_NHWI.permute(0, 3, 1, 2)


def weight_gradient(x_NIHW: Tensor, y_NOHW: Tensor, algorithm: Algorithm) -> Tensor:
    """d <convolution(x, w), y> / dw, [O, I, 3, 3]."""
    x_PPTI = _transformed(x_NIHW, algorithm.data_PS, algorithm.results)
    y_PPTO = _transformed(y_NOHW, algorithm.pixels_PM, algorithm.results)
    w_PPOI = _products(y_PPTO.transpose(2, 3), x_PPTI)
    matrix_KP = algorithm.kernel_PK.to(x_NIHW.dtype).T.contiguous()
    taps = _from_products(matrix_KP, w_PPOI).view(TAPS, TAPS, *w_PPOI.shape[2:])
    return taps.permute(2, 3, 0, 1).contiguous(memory_format=torch.channels_last)


def _transformed(x_NCHW: Tensor, matrix_PS: Tensor, step: int) -> Tensor:
    """Tiles of S x S pixels, `step` pixels apart, transformed by a matrix along both axes: [P, P, T, C]."""
    n, c, h, w = x_NCHW.shape
    (products, side), matrix_PS = matrix_PS.shape, matrix_PS.to(x_NCHW.dtype)
    padding = (side - step) // 2
    x_PPTC = x_NCHW.new_empty(products, products, _tiles(x_NCHW, step), c)
    for some, place in _chunks(n, (h // step) * (w // step), c):
        x_NHWC = x_NCHW[some].permute(0, 2, 3, 1)
        if padding:
            x_NHWC = F.pad(x_NHWC, (0, 0, *[padding] * 4)).contiguous()
        tiles = x_NHWC.unfold(1, side, step).unfold(2, side, step).permute(4, 5, 0, 1, 2, 3)
        _to_products(matrix_PS, tiles, x_PPTC[:, :, place])
    return x_PPTC


def _kernel(weight_OIkk: Tensor, algorithm: Algorithm) -> Tensor:
    """The weight transformed, [P, P, O, I]."""
    matrix_PK = algorithm.kernel_PK.to(weight_OIkk.dtype)
    w_PPOI = weight_OIkk.new_empty(*[len(matrix_PK)] * 2, *weight_OIkk.shape[:2])
    _to_products(matrix_PK, weight_OIkk.permute(2, 3, 0, 1), w_PPOI)
    return w_PPOI


def _overlapped(tiles: Tensor, step: int) -> Tensor:
    """Tiles [N, rows, S, columns, S, I] added up at their positions, `step` pixels apart: [N, h, w, I]."""
    n, rows, side, columns, _, c = tiles.shape
    whole = tiles.new_empty(n, rows + 1, step, columns + 1, step, c)
    extra = side - step
    whole[:, rows].zero_()
    whole[:, :, :, columns].zero_()
    whole[:, :rows, :, :columns] = tiles[:, :, :step, :, :step]
    whole[:, 1:, :extra, :columns].add_(tiles[:, :, step:, :, :step])
    whole[:, :rows, :, 1:, :extra].add_(tiles[:, :, :step, :, step:])
    whole[:, 1:, :extra, 1:, :extra].add_(tiles[:, :, step:, :, step:])
    return whole.view(n, (rows + 1) * step, (columns + 1) * step, c)


def _products(one: Tensor, other: Tensor) -> Tensor:
    return torch.bmm(one.flatten(0, 1), other.flatten(0, 1)).unflatten(0, one.shape[:2])


def _to_products(matrix_PS: Tensor, tiles_SS: Tensor, out_PP: Tensor) -> None:
    """Transform both axes of S pixels into products.

    One matrix product for the first axis, then one for each of its products: all have long rows, as fast
    matrix products require.
    """
    side = matrix_PS.shape[1]
    halfway = (matrix_PS @ tiles_SS.reshape(side, -1)).view(len(matrix_PS), side, -1)
    for half_SL, out_P in zip(halfway, out_PP, strict=True):
        torch.mm(matrix_PS, half_SL, out=out_P.flatten(1))


def _from_products(matrix_SP: Tensor, products_PP: Tensor) -> Tensor:
    """Transform both axes of products into S pixels, [S, S * L]."""
    side, count = matrix_SP.shape
    halfway = products_PP.new_empty(count, side, math.prod(products_PP.shape[2:]))
    for product_P, half_SL in zip(products_PP, halfway, strict=True):
        torch.mm(matrix_SP, product_P.flatten(1), out=half_SL)
    return matrix_SP @ halfway.view(count, -1)


def _chunks(images: int, tiles: int, channels: int) -> list[tuple[slice, slice]]:
    """The images, and the positions of their tiles, to transform at a time."""
    count = max(1, _CHUNK // (tiles * channels))
    starts = range(0, images, count)
    return [(slice(i, i + count), slice(i * tiles, (i + count) * tiles)) for i in starts]
