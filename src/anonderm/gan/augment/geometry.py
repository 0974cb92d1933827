"""Geometric transformations: flips and quarter turns, translation, scale, rotation, stretch.

N images, H x W pixels (a square). Coordinates (x, y) run over -1..1 from edge to edge. A look-up [N, 2, 3], a
linear part and an offset, maps positions in the augmented image to positions in the original.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from anonderm.gan.augment.draw import Draw
from anonderm.gan.config import Group

_TRANSLATION = 0.125  # of the image's side: the maximum (integer) or standard deviation (fractional)
_SCALE_OCTAVES = 0.2


def turn(images_N3HW: Tensor, draw: Draw) -> Tensor:
    """x-flips, then rotations by a multiple of 90 degrees, which only permute pixels.

    Each of these is an optional transposition followed by flips of the two axes.
    """
    mirrored_N = draw.chosen((draw.uniform() * 2).floor(), 0) == 1
    quarters_N = draw.chosen((draw.uniform() * 4).floor(), 0)
    transposed_N = quarters_N % 2 == 1
    flip_x_N = ((quarters_N == 1) | (quarters_N == 2)) ^ (mirrored_N & ~transposed_N)
    flip_y_N = (quarters_N >= 2) ^ (mirrored_N & transposed_N)
    x_N3HW = _where(transposed_N, images_N3HW.mT, images_N3HW)
    x_N3HW = _where(flip_x_N, x_N3HW.flip(3), x_N3HW)
    return _where(flip_y_N, x_N3HW.flip(2), x_N3HW)


def _where(chosen_N: Tensor, one_N3HW: Tensor, other_N3HW: Tensor) -> Tensor:
    return torch.where(chosen_N[:, None, None, None], one_N3HW, other_N3HW)


def look_up(draw: Draw, groups: Sequence[Group], size: int) -> Tensor:
    """Integer translation (blit); scale, rotation, stretch, fractional translation (geometry): [N, 2, 3]."""
    device = draw.random.device
    linear_N22 = torch.eye(2, device=device).expand(len(draw.share), 2, 2)
    offset_N2 = torch.zeros(len(draw.share), 2, device=device)
    if "blit" in groups:
        furthest = _TRANSLATION * size
        offset_N2 = draw.chosen(((draw.uniform(2) * 2 - 1) * furthest).round() * (2 / size), 0)
    if "geometry" in groups:
        linear_N22 = _linear(draw)
        shift_N2 = draw.chosen(draw.normal(2) * (2 * _TRANSLATION), 0)
        offset_N2 = offset_N2 + (linear_N22 @ shift_N2[:, :, None]).squeeze(2)
    return torch.cat([linear_N22, offset_N2[:, :, None]], dim=2)


def _linear(draw: Draw) -> Tensor:
    # Two rotations, before and after the stretch; the probability of at least one of them is p.
    p_each = 1 - math.sqrt(1 - draw.p)
    zoom_N = draw.chosen(draw.log_normal(_SCALE_OCTAVES), 1)
    before_N = draw.chosen(draw.angle(), 0, p_each)
    stretch_N = draw.chosen(draw.log_normal(_SCALE_OCTAVES), 1)
    after_N = draw.chosen(draw.angle(), 0, p_each)
    return linear(zoom_N, before_N, stretch_N, after_N)


def linear(zoom_N: Tensor, before_N: Tensor, stretch_N: Tensor, after_N: Tensor) -> Tensor:
    """Scale, rotation, anisotropic stretch, rotation: [N, 2, 2]; angles in radians."""
    axes_N2 = zoom_N[:, None] * torch.stack([stretch_N, 1 / stretch_N], dim=1)
    return (_rotation(before_N) * axes_N2[:, None, :]) @ _rotation(after_N)


def _rotation(angle_N: Tensor) -> Tensor:
    sin, cos = angle_N.sin(), angle_N.cos()
    return torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
