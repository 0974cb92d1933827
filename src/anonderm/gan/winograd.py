"""3 x 3 convolution by minimal filtering, for float32 on the CPU: a quarter of the multiplications.

Source: Lavin & Gray 2016, "Fast algorithms for convolutional neural networks", F(4 x 4, 3 x 3).

N images, I / O channels in and out, H x W pixels, T tiles of 4 x 4 output pixels (6 x 6 input pixels),
P = 36 products a tile. Weights are [O, I, 3, 3]; feature maps are in channels_last.

The polynomials are evaluated at 0, +-1/sqrt(2), +-sqrt(2) and infinity instead of the usual 0, +-1, +-2: on
random maps of 256 channels the error against float64 is 1.2e-6; the usual points have 2.5e-6, the direct sum
0.8e-6.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_OUT, _TAPS = 4, 3
_IN = _OUT + _TAPS - 1
_POINTS = (0.0, 0.5**0.5, -(0.5**0.5), 2**0.5, -(2**0.5))  # and infinity
_FEWEST_CHANNELS, _FEWEST_CHANNELS_FOR_WEIGHTS, _FEWEST_TILES = 128, 48, 32
_WORKSPACE = 1 << 24  # numbers in the transformed maps that are held at a time


class _Transforms(NamedTuple):
    """Of a tile, of the kernel, of the mirrored kernel, and back to pixels; both axes at once."""

    data_PQ: Tensor
    kernel_PK: Tensor
    mirrored_PK: Tensor
    pixels_SP: Tensor


def pays(x_NIHW: Tensor, weight_OIkk: Tensor, stride: int, padding: int, *, weights: bool = False) -> bool:
    """Whether these functions compute this convolution, and faster than the library's kernels.

    `weights` asks for `weight_gradient`, which pays earlier. Never where the network is written to a file,
    whose number of images is open.
    """
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return False
    n, _, h, w = x_NIHW.shape
    fewest = _FEWEST_CHANNELS_FOR_WEIGHTS if weights else _FEWEST_CHANNELS
    return (
        x_NIHW.device.type == "cpu"
        and x_NIHW.dtype == torch.float32
        and (*weight_OIkk.shape[2:], stride, padding) == (_TAPS, _TAPS, 1, 1)
        and h % _OUT == 0
        and w % _OUT == 0
        and min(weight_OIkk.shape[:2]) >= fewest
        and n * h * w >= _FEWEST_TILES * _OUT**2
    )


def convolution(x_NIHW: Tensor, weight_OIkk: Tensor) -> Tensor:
    """w * x, zero padding 1."""
    transforms = _transforms(x_NIHW.dtype)
    kernel_PIO = _kernel(weight_OIkk, transforms.kernel_PK).transpose(1, 2)
    return _correlate(x_NIHW, kernel_PIO, transforms)


def adjoint(y_NOHW: Tensor, weight_OIkk: Tensor) -> Tensor:
    """The transpose of `convolution` in x."""
    transforms = _transforms(y_NOHW.dtype)
    return _correlate(y_NOHW, _kernel(weight_OIkk, transforms.mirrored_PK), transforms)


def weight_gradient(x_NIHW: Tensor, y_NOHW: Tensor) -> Tensor:
    """d <convolution(x, w), y> / dw, [O, I, 3, 3]."""
    transforms = _transforms(x_NIHW.dtype)
    inputs, outputs = x_NIHW.shape[1], y_NOHW.shape[1]
    kernel_POI = x_NIHW.new_zeros(_IN**2, outputs, inputs)
    step = _images_at_a_time(x_NIHW, max(inputs, outputs))
    for x, y in zip(x_NIHW.split(step), y_NOHW.split(step), strict=True):
        spread_TPO = transforms.pixels_SP.T @ _pixels(y)
        kernel_POI.baddbmm_(spread_TPO.permute(1, 2, 0), _data(x, transforms).transpose(0, 1))
    weight_KOI = transforms.kernel_PK.T @ kernel_POI.view(_IN**2, -1)
    weight_OkkI = weight_KOI.view(_TAPS, _TAPS, outputs, inputs).permute(2, 0, 1, 3)
    return weight_OkkI.contiguous().permute(0, 3, 1, 2)


def _correlate(x_NIHW: Tensor, kernel_PIO: Tensor, transforms: _Transforms) -> Tensor:
    n, inputs, h, w = x_NIHW.shape
    outputs = kernel_PIO.shape[2]
    y_NHWO = x_NIHW.new_empty(n, h, w, outputs)
    step = _images_at_a_time(x_NIHW, max(inputs, outputs))
    for x, y in zip(x_NIHW.split(step), y_NHWO.split(step), strict=True):
        product_PTO = torch.bmm(_data(x, transforms).transpose(0, 1), kernel_PIO)
        tiles = (transforms.pixels_SP @ product_PTO.view(_IN**2, -1)).view(
            _OUT, _OUT, y.shape[0], h // _OUT, w // _OUT, outputs
        )
        y.view(-1, h // _OUT, _OUT, w // _OUT, _OUT, outputs).copy_(tiles.permute(2, 3, 0, 4, 1, 5))
    return y_NHWO.permute(0, 3, 1, 2)


def _images_at_a_time(x_NCHW: Tensor, channels: int) -> int:
    tiles = x_NCHW.shape[2] * x_NCHW.shape[3] // _OUT**2
    return max(1, _WORKSPACE // (tiles * _IN**2 * channels))


def _kernel(weight_OIkk: Tensor, transform_PK: Tensor) -> Tensor:
    """[P, O, I], strided."""
    outputs, inputs = weight_OIkk.shape[:2]
    weight_OKI = weight_OIkk.permute(0, 2, 3, 1).reshape(outputs, _TAPS**2, inputs)
    return (transform_PK @ weight_OKI).transpose(0, 1)


def _data(x_NCHW: Tensor, transforms: _Transforms) -> Tensor:
    """Overlapping tiles of the padded maps, transformed: [T, P, C]."""
    n, c, h, w = x_NCHW.shape
    x_NHWC = F.pad(x_NCHW.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1))
    row, image = (w + 2) * c, (h + 2) * (w + 2) * c
    shape = (n, h // _OUT, w // _OUT, _IN, _IN, c)
    tiles = x_NHWC.contiguous().as_strided(shape, (image, _OUT * row, _OUT * c, row, c, 1))
    return transforms.data_PQ @ tiles.reshape(-1, _IN**2, c)


def _pixels(y_NCHW: Tensor) -> Tensor:
    """The maps cut into tiles: [T, S = 16, C]."""
    n, c, h, w = y_NCHW.shape
    y = y_NCHW.permute(0, 2, 3, 1).reshape(n, h // _OUT, _OUT, w // _OUT, _OUT, c)
    return y.transpose(2, 3).reshape(-1, _OUT**2, c)


@lru_cache(maxsize=4)
def _transforms(dtype: torch.dtype) -> _Transforms:
    """Toom-Cook's evaluation and interpolation matrices, transposed as a filter needs them."""

    def evaluation(terms: int) -> np.ndarray:
        infinity = np.eye(terms)[-1:]
        return np.vstack([np.vander(_POINTS, terms, increasing=True), infinity])

    kernel, data, pixels = evaluation(_TAPS), np.linalg.inv(evaluation(_IN)).T, evaluation(_OUT).T
    both_axes = (torch.from_numpy(np.kron(m, m)).to(dtype) for m in (data, kernel, kernel[:, ::-1], pixels))
    return _Transforms(*both_axes)
