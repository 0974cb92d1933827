"""Resampling by an affine look-up, without aliasing. Source: Karras et al. 2020 (limited data), appendix B.

The image is enlarged by two with the low-pass of an orthogonal wavelet, sampled bilinearly, and halved by the
inverse filter, so that the identity look-up changes nothing. Beyond its edges an image continues as its
mirror image.

N images, H x W pixels (a square of `size`), E = 2 * size the enlarged side. Enlarging and halving are banded
matrices: mirroring at the edges costs nothing, and their adjoints are their transposes.
"""

import math
from functools import lru_cache
from typing import Any, Literal

import torch
from torch import Tensor

# sym6. Source: Daubechies 1992, table 6.3, in double precision.
SYM6 = (
    0.015404109327027373,
    0.0034907120842174702,
    -0.11799011114819057,
    -0.048311742585633,
    0.4910559419267466,
    0.787641141030194,
    0.3379294217276218,
    -0.07263752278646252,
    -0.021060292512300564,
    0.04472490177066578,
    0.0017677118642428036,
    -0.007800708325034148,
)
# The filter is not quite symmetric: its centre of mass is this far from its middle, in enlarged pixels.
# Unless compensated, an image turned upside down would be shifted by as many pixels.
_OFF_CENTRE = sum(tap * n for n, tap in enumerate(SYM6)) / sum(SYM6) - (len(SYM6) - 1) / 2

_BILINEAR, _REFLECTION = 0, 2  # grid_sampler's codes
_CHUNK = 2**22  # look-ups at a time, which limits the memory for enlarged images
_NEGLIGIBLE = 1e-9

_Matrix = Literal["enlarge", "halve", "enlarge transposed", "halve transposed"]
_Bands = tuple[tuple[int, int, Tensor], ...]
"""A matrix as blocks of rows: first and last nonzero column, and the columns between."""


def resample(images_N3HW: Tensor, look_up_N23: Tensor) -> Tensor:
    """Sample the images at the positions of the look-up; linear in them, differentiable to any order."""
    shift = _OFF_CENTRE / images_N3HW.shape[-1]
    offset_N2 = look_up_N23[:, :, 2] + shift - look_up_N23[:, :, :2].sum(2) * shift
    look_up_N23 = torch.cat([look_up_N23[:, :, :2], offset_N2[:, :, None]], dim=2)
    return _Resample.apply(images_N3HW, look_up_N23.to(images_N3HW.dtype), False)


class _Resample(torch.autograd.Function):
    """The resampling or its transpose, each of which is the derivative of the other."""

    @staticmethod
    def forward(ctx: Any, images_N3HW: Tensor, look_up_N23: Tensor, transposed: bool) -> Tensor:
        ctx.save_for_backward(look_up_N23)
        ctx.transposed = transposed
        count = max(1, _CHUNK // (2 * images_N3HW.shape[-1]) ** 2)
        parts = zip(images_N3HW.split(count), look_up_N23.split(count), strict=True)
        read = _put_back if transposed else _read
        return torch.cat([read(images.contiguous(), look_up) for images, look_up in parts])

    @staticmethod
    def backward(ctx: Any, gradient_N3HW: Tensor) -> tuple[Tensor, None, None]:
        return _Resample.apply(gradient_N3HW, ctx.saved_tensors[0], not ctx.transposed), None, None


def _read(images_N3HW: Tensor, look_up_N23: Tensor) -> Tensor:
    enlarged_N3EE = _along_both_axes("enlarge", images_N3HW)
    grid_NEE2 = _grid(look_up_N23, enlarged_N3EE.shape[-1])
    moved_N3EE = torch.grid_sampler_2d(enlarged_N3EE, grid_NEE2, _BILINEAR, _REFLECTION, False)
    return _along_both_axes("halve", moved_N3EE)


def _put_back(gradient_N3HW: Tensor, look_up_N23: Tensor) -> Tensor:
    moved_N3EE = _along_both_axes("halve transposed", gradient_N3HW)
    grid_NEE2 = _grid(look_up_N23, moved_N3EE.shape[-1])
    # Without a gradient for the grid, only the shape of the second argument matters.
    enlarged_N3EE, _ = torch.ops.aten.grid_sampler_2d_backward(
        moved_N3EE, moved_N3EE, grid_NEE2, _BILINEAR, _REFLECTION, False, [True, False]
    )
    return _along_both_axes("enlarge transposed", enlarged_N3EE)


def _grid(look_up_N23: Tensor, side: int) -> Tensor:
    """The look-up at the centre of every pixel, [N, E, E, 2]: the sum of a row and a column."""
    place_E = (torch.arange(side, dtype=look_up_N23.dtype, device=look_up_N23.device) * 2 + 1) / side - 1
    along_x_N2E = look_up_N23[:, :, 0, None] * place_E
    along_y_N2E = look_up_N23[:, :, 1, None] * place_E + look_up_N23[:, :, 2, None]
    return (along_x_N2E[:, :, None, :] + along_y_N2E[:, :, :, None]).permute(0, 2, 3, 1)


def _along_both_axes(name: _Matrix, x_N3HW: Tensor) -> Tensor:
    bands = _bands(name, x_N3HW.shape[-1], x_N3HW.dtype, x_N3HW.device)
    x_N3HW = _joined([block @ x_N3HW[..., first:last, :] for first, last, block in bands], dim=-2)
    return _joined([x_N3HW[..., first:last] @ block.T for first, last, block in bands], dim=-1)


def _joined(parts: list[Tensor], dim: int) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


@lru_cache(maxsize=32)
def _bands(name: _Matrix, side: int, dtype: torch.dtype, device: torch.device) -> _Bands:
    """The matrix for inputs of this side; blocks leave out most zeros of large ones."""
    size = side if name in ("enlarge", "halve transposed") else side // 2
    enlarge_ES = _enlarging(size)
    matrix = enlarge_ES if name.startswith("enlarge") else _halving(enlarge_ES)
    matrix = matrix.T if name.endswith("transposed") else matrix
    bands = []
    for block in matrix.chunk(min(max(size // 32, 1), 8)):
        used = block.abs().amax(0).nonzero()
        first, last = int(used[0]), int(used[-1]) + 1
        bands.append((first, last, block[:, first:last].to(device, dtype).contiguous()))
    return tuple(bands)


def _enlarging(size: int) -> Tensor:
    """[E, size]: zeros inserted between the pixels, then the filter, mirrored at the edges."""
    matrix_ES = torch.zeros(2 * size, size, dtype=torch.float64)
    half = len(SYM6) // 2
    row_E = torch.arange(2 * size)
    for n, tap in enumerate(SYM6):
        source_E = row_E + half - 1 - n  # twice the pixel's index, where it is even
        rows, pixel = row_E[source_E % 2 == 0], source_E[source_E % 2 == 0] // 2
        pixel = pixel.remainder(2 * size)
        pixel = torch.minimum(pixel, 2 * size - 1 - pixel)
        matrix_ES.index_put_((rows, pixel), torch.tensor(tap * math.sqrt(2)).double(), accumulate=True)
    return matrix_ES


def _halving(enlarge_ES: Tensor) -> Tensor:
    """[size, E], the pseudo-inverse of the enlarging.

    Away from the edges, this is the same filter mirrored, since the wavelet is orthogonal.
    """
    matrix_SE = torch.linalg.solve(enlarge_ES.T @ enlarge_ES, enlarge_ES.T)
    return matrix_SE.where(matrix_SE.abs() > _NEGLIGIBLE, 0)
