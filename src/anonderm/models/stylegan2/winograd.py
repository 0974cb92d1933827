"""Convolution by minimal filtering, for float32 on the CPU: a fifth of the multiplications.

<convolution(x, w), y> is linear in x, w and y. Each is cut into tiles and transformed on its own, into P x P
matrices of tiles (or channels) by channels; the convolution and its two transposes are then P x P products of
two of the three. So what is transformed once serves the forward pass and both gradients.

N images, I / O channels of x / y, H x W pixels, T tiles, P products an axis; S x S pixels of x and M x M of y
in a tile, L numbers in a row of a transform. Weights are [O, I, 3, 3]; maps are in channels_last.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.models.stylegan2 import toom_cook
from anonderm.models.stylegan2.toom_cook import Algorithm

# Pixels of an output tile, and from how many channels and tiles on they pay.
_SMALL, _LARGE = 4, 8
_FEWEST_CHANNELS = {_SMALL: 128, _LARGE: 64}
_FEWEST_CHANNELS_FOR_WEIGHTS = 48
_FEWEST_TILES = {_SMALL: 32, _LARGE: 128}
_FEWEST_HALVING_TILES = 64
_AT_A_TIME = 1 << 14  # numbers a tile's pixel while transforming, so that tiles stay in the cache


def plain(x_NIHW: Tensor, weight_OIkk: Tensor, *, weights: bool = False) -> Algorithm | None:
    """For a 3 x 3 convolution with padding 1, where that is faster than the library's kernels.

    `weights` asks for `weight_gradient` alone, which pays earlier.
    """
    for side in (_LARGE, _SMALL):
        fewest = _FEWEST_CHANNELS_FOR_WEIGHTS if weights else _FEWEST_CHANNELS[side]
        if _serves(x_NIHW, weight_OIkk, fewest) and _tiles(x_NIHW, side) >= _FEWEST_TILES[side]:
            return toom_cook.plain(side)
    return None


def halving(x_NIHW: Tensor, weight_OIkk: Tensor) -> Algorithm | None:
    """For low-pass and 3 x 3 convolution with stride 2, where that is faster than the library's kernels."""
    algorithm = toom_cook.halving(1.0)
    if not _serves(x_NIHW, weight_OIkk, _FEWEST_CHANNELS[_SMALL]):
        return None
    return algorithm if _tiles(x_NIHW, algorithm.step) >= _FEWEST_HALVING_TILES else None


def doubling(y_NOHW: Tensor, weight_OIkk: Tensor) -> Algorithm | None:
    """For 3 x 3 transposed convolution with stride 2 and low-pass, as an `adjoint`."""
    if not _serves(y_NOHW, weight_OIkk, _FEWEST_CHANNELS[_SMALL]):
        return None
    # Four times the pixels: a gain of two along each axis keeps their mean.
    return toom_cook.halving(2.0) if _tiles(y_NOHW, _SMALL) >= _FEWEST_HALVING_TILES else None


def _serves(x_NCHW: Tensor, weight_OIkk: Tensor, fewest_channels: int) -> bool:
    """Never where the network is written to a file, whose number of images is open."""
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return False
    return (
        x_NCHW.device.type == "cpu"
        and x_NCHW.dtype == torch.float32
        and weight_OIkk.shape[2:] == (3, 3)
        and min(weight_OIkk.shape[:2]) >= fewest_channels
    )


def _tiles(x_NCHW: Tensor, side: int) -> int:
    """How many there are; none if they do not fit."""
    n, _, h, w = x_NCHW.shape
    return 0 if h % side or w % side else n * (h // side) * (w // side)


def data(x_NIHW: Tensor, algorithm: Algorithm) -> Tensor:
    """x transformed, [P, P, T, I]."""
    step, before = algorithm.step, algorithm.before
    matrix_PS = algorithm.data_PS.to(x_NIHW.dtype)
    (products, side), after = matrix_PS.shape, matrix_PS.shape[1] - step - before
    n, c, h, w = x_NIHW.shape
    x_PPTI = x_NIHW.new_empty(products, products, _tiles(x_NIHW, step), c)
    for some, place in _chunks(n, (h // step) * (w // step), c):
        x_NHWI = F.pad(x_NIHW[some].permute(0, 2, 3, 1), (0, 0, before, after, before, after))
        tiles = x_NHWI.contiguous().unfold(1, side, step).unfold(2, side, step)
        _to_products(matrix_PS, tiles.permute(4, 5, 0, 1, 2, 3), x_PPTI[:, :, place])
    return x_PPTI


def pixels(y_NOHW: Tensor, algorithm: Algorithm) -> Tensor:
    """y transformed, [P, P, T, O]."""
    matrix_PM = algorithm.pixels_PM.to(y_NOHW.dtype)
    products, side = matrix_PM.shape
    n, c, h, w = y_NOHW.shape
    y_PPTO = y_NOHW.new_empty(products, products, _tiles(y_NOHW, side), c)
    for some, place in _chunks(n, (h // side) * (w // side), c):
        tiles = y_NOHW[some].permute(0, 2, 3, 1).unfold(1, side, side).unfold(2, side, side)
        _to_products(matrix_PM, tiles.permute(4, 5, 0, 1, 2, 3), y_PPTO[:, :, place])
    return y_PPTO


def kernel(weight_OIkk: Tensor, algorithm: Algorithm) -> Tensor:
    """The weight transformed, [P, P, O, I]."""
    matrix_PK = algorithm.kernel_PK.to(weight_OIkk.dtype)
    w_PPOI = weight_OIkk.new_empty(*[len(matrix_PK)] * 2, *weight_OIkk.shape[:2])
    _to_products(matrix_PK, weight_OIkk.permute(2, 3, 0, 1), w_PPOI)
    return w_PPOI


def convolution(x_PPTI: Tensor, w_PPOI: Tensor, size: tuple[int, int, int], algorithm: Algorithm) -> Tensor:
    """y [N, O, H, W] from what `data` and `kernel` gave; `size` is y's N, H, W."""
    y_PPTO = _products(x_PPTI, w_PPOI.transpose(2, 3))
    matrix_MP = algorithm.pixels_PM.to(x_PPTI.dtype).T.contiguous()
    (n, h, w), c, side = size, y_PPTO.shape[3], len(matrix_MP)
    rows, columns = h // side, w // side
    y_NHWO = x_PPTI.new_empty(n, h, w, c)
    for some, place in _chunks(n, rows * columns, c):
        tiles = _from_products(matrix_MP, y_PPTO[:, :, place]).view(side, side, -1, rows, columns, c)
        whole = y_NHWO[some].view(-1, rows, side, columns, side, c)
        whole.copy_(tiles.permute(2, 3, 0, 4, 1, 5))
    return y_NHWO.permute(0, 3, 1, 2)


def adjoint(y_PPTO: Tensor, w_PPOI: Tensor, size: tuple[int, int, int], algorithm: Algorithm) -> Tensor:
    """The transpose of the convolution in x: x [N, I, H, W], whose N, H, W are `size`."""
    x_PPTI = _products(y_PPTO, w_PPOI)
    matrix_SP = algorithm.data_PS.to(y_PPTO.dtype).T.contiguous()
    (n, h, w), c, side = size, x_PPTI.shape[3], len(matrix_SP)
    step, before = algorithm.step, algorithm.before
    rows, columns = h // step, w // step
    x_NHWI = y_PPTO.new_empty(n, h, w, c)
    for some, place in _chunks(n, rows * columns, c):
        tiles = _from_products(matrix_SP, x_PPTI[:, :, place]).view(side, side, -1, rows, columns, c)
        padded = _overlapped(tiles.permute(2, 3, 0, 4, 1, 5), step)
        x_NHWI[some] = padded[:, before : before + h, before : before + w]
    return x_NHWI.permute(0, 3, 1, 2)


def _overlapped(tiles: Tensor, step: int) -> Tensor:
    """Tiles [N, rows, S, columns, S, I] added up at their places, `step` pixels apart: [N, h, w, I]."""
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


def weight_gradient(x_PPTI: Tensor, y_PPTO: Tensor, algorithm: Algorithm) -> Tensor:
    """d <convolution(x, w), y> / dw, [O, I, 3, 3]."""
    w_PPOI = _products(y_PPTO.transpose(2, 3), x_PPTI)
    matrix_KP = algorithm.kernel_PK.to(x_PPTI.dtype).T.contiguous()
    taps = _from_products(matrix_KP, w_PPOI).view(*[len(matrix_KP)] * 2, *w_PPOI.shape[2:])
    return taps.permute(2, 3, 0, 1).contiguous(memory_format=torch.channels_last)


def _products(one: Tensor, other: Tensor) -> Tensor:
    return torch.bmm(one.flatten(0, 1), other.flatten(0, 1)).unflatten(0, one.shape[:2])


def _to_products(matrix_PS: Tensor, tiles_SS: Tensor, out_PP: Tensor) -> None:
    """Both axes of S pixels into products; the other axes are alike in the tiles and in the result.

    One matrix product for the first axis, then one a product: all have long rows, which matrix products need.
    """
    side = matrix_PS.shape[1]
    halfway = (matrix_PS @ tiles_SS.reshape(side, -1)).view(len(matrix_PS), side, -1)
    for half_SL, out_P in zip(halfway, out_PP, strict=True):
        torch.mm(matrix_PS, half_SL, out=out_P.flatten(1))


def _from_products(matrix_SP: Tensor, products_PP: Tensor) -> Tensor:
    """Both axes of products into S pixels, [S, S * L]."""
    side, count = matrix_SP.shape
    halfway = products_PP.new_empty(count, side, math.prod(products_PP.shape[2:]))
    for product_P, half_SL in zip(products_PP, halfway, strict=True):
        torch.mm(matrix_SP, product_P.flatten(1), out=half_SL)
    return matrix_SP @ halfway.view(count, -1)


def _chunks(images: int, tiles: int, channels: int) -> list[tuple[slice, slice]]:
    """Images, and the places of their tiles, to transform at a time."""
    count = max(1, _AT_A_TIME // (tiles * channels))
    starts = range(0, images, count)
    return [(slice(i, i + count), slice(i * tiles, (i + count) * tiles)) for i in starts]
