"""Brightness, contrast, luma flip, hue and saturation.

N images, H x W pixels, P = H * W, colours in -1..1. All five act separately on the luma axis (1, 1, 1) /
sqrt(3) and on the plane orthogonal to it (chroma): luma is shifted, scaled and negated, chroma scaled and
rotated. Their product, in the order of the paper, is the sum of the two parts.
"""

import math

import torch
from torch import Tensor

from anonderm.gan.augment.draw import Draw

_BRIGHTNESS = 0.2
_CONTRAST_OCTAVES = 0.5
_SATURATION_OCTAVES = 1.0


def transform_colours(images_N3HW: Tensor, draw: Draw) -> Tensor:
    """Apply each of the five with probability p."""
    brightness_N = draw.chosen(draw.normal() * _BRIGHTNESS, 0)
    contrast_N = draw.chosen(draw.log_normal(_CONTRAST_OCTAVES), 1)
    luma_sign_N = draw.chosen(1 - 2 * (draw.uniform() * 2).floor(), 1)
    hue_N = draw.chosen(draw.angle(), 0)
    saturation_N = draw.chosen(draw.log_normal(_SATURATION_OCTAVES), 1)
    matrix_N34 = colour_matrix(brightness_N, contrast_N, luma_sign_N, hue_N, saturation_N)
    matrix_N34 = matrix_N34.to(images_N3HW.dtype)
    x_N3P = torch.baddbmm(matrix_N34[:, :, 3:], matrix_N34[:, :, :3], images_N3HW.flatten(2))
    return x_N3P.view(images_N3HW.shape)


def colour_matrix(
    brightness_N: Tensor, contrast_N: Tensor, luma_sign_N: Tensor, hue_N: Tensor, saturation_N: Tensor
) -> Tensor:
    """Affine transformations of colours, [N, 3, 4]; hue in radians."""
    luma_33, chroma_33, quarter_33 = _axes(hue_N.dtype, hue_N.device)
    luma_N, chroma_N = contrast_N * luma_sign_N, contrast_N * saturation_N
    matrix_N33 = (
        _scalar(luma_N) * luma_33
        + _scalar(chroma_N * hue_N.cos()) * chroma_33
        + _scalar(chroma_N * hue_N.sin()) * quarter_33
    )
    return torch.cat([matrix_N33, _scalar(luma_N * brightness_N).expand(-1, 3, 1)], dim=2)


def _axes(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Projections [3, 3] onto luma and chroma, and the rotation of chroma by 90 degrees (Rodrigues)."""
    luma_33 = torch.full((3, 3), 1 / 3, dtype=dtype, device=device)
    unit_33 = torch.eye(3, dtype=dtype, device=device)
    quarter_33 = (unit_33.roll(1, 0) - unit_33.roll(-1, 0)) / math.sqrt(3)
    return luma_33, unit_33 - luma_33, quarter_33


def _scalar(value_N: Tensor) -> Tensor:
    return value_N[:, None, None]
