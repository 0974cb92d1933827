"""Adaptive discriminator augmentation. Source: Karras et al. 2020 (limited data), sec. 3 and appendix B.

N images, H x W pixels, colours R, G, B in -1..1, P pixels in a row; matrices are homogeneous, [N, 3, 3] in
the plane and [N, 4, 4] in colour space. The geometry of one image is a single bilinear look-up, mirrored at
the borders, where the paper resamples through wavelet filters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_TRANSLATION = 0.125  # of the image's side
_SCALE_OCTAVES = 0.2
_BRIGHTNESS = 0.2
_CONTRAST_OCTAVES = 0.5
_SATURATION_OCTAVES = 1.0

_BILINEAR, _REFLECTION = 0, 2  # grid_sampler's codes


def augment(images_N3HW: Tensor, p: float, random: torch.Generator) -> Tensor:
    """Each transformation is applied to each image with probability p; p = 0 returns the images themselves.

    Differentiable twice in the images. `random` must live on the images' device.
    """
    if p == 0:
        return images_N3HW
    draw = _Draw(images_N3HW.shape[0], p, random)
    look_up_N33 = _geometry(draw, images_N3HW.shape[-1])
    grid_NHW2 = F.affine_grid(look_up_N33[:, :2], list(images_N3HW.shape), align_corners=False)
    moved_N3HW = _LookUp.apply(images_N3HW, grid_NHW2)
    colour_N44 = _colour(draw)
    tinted_N3P = torch.baddbmm(colour_N44[:, :3, 3:], colour_N44[:, :3, :3], moved_N3HW.flatten(2))
    return tinted_N3P.view_as(moved_N3HW)


@dataclass(frozen=True)
class _Draw:
    """Random numbers for `count` images, and which of them a transformation touches."""

    count: int
    p: float
    random: torch.Generator

    def uniform(self) -> Tensor:
        return torch.rand(self.count, generator=self.random, device=self.random.device)

    def normal(self) -> Tensor:
        return torch.randn(self.count, generator=self.random, device=self.random.device)

    def chosen(self, value_N: Tensor, neutral: float, p: float | None = None) -> Tensor:
        """`value_N` for the images that are touched, `neutral` for the others."""
        touched_N = self.uniform() < (self.p if p is None else p)
        return torch.where(touched_N, value_N, torch.full_like(value_N, neutral))


def _geometry(draw: _Draw, size: int) -> Tensor:
    """The matrix that takes a place in the augmented image to the place in the original, in -1..1."""
    flip_N = draw.chosen(1 - 2 * (draw.uniform() * 2).floor(), 1)
    matrix = _scaling(flip_N, torch.ones_like(flip_N))
    matrix = matrix @ _rotation(draw.chosen((draw.uniform() * 4).floor() * (math.pi / 2), 0))
    whole_x, whole_y = (((draw.uniform() * 2 - 1) * _TRANSLATION * size).round() * 2 / size for _ in range(2))
    touched_N = draw.chosen(torch.ones_like(flip_N), 0)
    matrix = matrix @ _translation(whole_x * touched_N, whole_y * touched_N)

    zoom_N = draw.chosen(torch.exp2(draw.normal() * _SCALE_OCTAVES), 1)
    matrix = matrix @ _scaling(zoom_N, zoom_N)
    # Two rotations, before and after the stretch, that together happen with probability p.
    p_each = 1 - math.sqrt(1 - draw.p)
    matrix = matrix @ _rotation(draw.chosen((draw.uniform() * 2 - 1) * math.pi, 0, p_each))
    stretch_N = draw.chosen(torch.exp2(draw.normal() * _SCALE_OCTAVES), 1)
    matrix = matrix @ _scaling(stretch_N, 1 / stretch_N)
    matrix = matrix @ _rotation(draw.chosen((draw.uniform() * 2 - 1) * math.pi, 0, p_each))
    shift_x, shift_y = (draw.normal() * (_TRANSLATION * 2) for _ in range(2))
    touched_N = draw.chosen(torch.ones_like(flip_N), 0)
    return matrix @ _translation(shift_x * touched_N, shift_y * touched_N)


def _colour(draw: _Draw) -> Tensor:
    """Brightness, contrast, luma flip, hue and saturation as one matrix."""
    device = draw.random.device
    unit_44 = torch.eye(4, device=device)
    rgb_44 = torch.diag(torch.tensor([1.0, 1.0, 1.0, 0.0], device=device))
    grey_44 = torch.zeros(4, 4, device=device)
    grey_44[:3, :3] = 1 / 3  # projection on the luma axis (1, 1, 1) / sqrt(3)

    brightness_N = draw.chosen(draw.normal() * _BRIGHTNESS, 0)
    matrix = unit_44.repeat(draw.count, 1, 1)
    matrix[:, :3, 3] = brightness_N[:, None]
    contrast_N = draw.chosen(torch.exp2(draw.normal() * _CONTRAST_OCTAVES), 1)
    matrix = (unit_44 + (contrast_N - 1)[:, None, None] * rgb_44) @ matrix
    flip_N = draw.chosen((draw.uniform() * 2).floor(), 0)
    matrix = (unit_44 - 2 * flip_N[:, None, None] * grey_44) @ matrix
    matrix = _hue_rotation(draw.chosen((draw.uniform() * 2 - 1) * math.pi, 0)) @ matrix
    saturation_N = draw.chosen(torch.exp2(draw.normal() * _SATURATION_OCTAVES), 1)
    return (unit_44 + (saturation_N - 1)[:, None, None] * (rgb_44 - grey_44)) @ matrix


def _hue_rotation(angle_N: Tensor) -> Tensor:
    """Rodrigues' rotation about the luma axis."""
    cross_44 = torch.zeros(4, 4, device=angle_N.device)
    cross_44[:3, :3] = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    unit_44 = torch.eye(4, device=angle_N.device)
    sin, cos = angle_N.sin()[:, None, None], angle_N.cos()[:, None, None]
    return unit_44 + sin * cross_44 + (1 - cos) * (cross_44 @ cross_44)


def _plane(rows: list[list[Tensor]]) -> Tensor:
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _scaling(x_N: Tensor, y_N: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x_N), torch.ones_like(x_N)
    return _plane([[x_N, zero, zero], [zero, y_N, zero], [zero, zero, one]])


def _translation(x_N: Tensor, y_N: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x_N), torch.ones_like(x_N)
    return _plane([[one, zero, x_N], [zero, one, y_N], [zero, zero, one]])


def _rotation(angle_N: Tensor) -> Tensor:
    zero, one = torch.zeros_like(angle_N), torch.ones_like(angle_N)
    sin, cos = angle_N.sin(), angle_N.cos()
    return _plane([[cos, -sin, zero], [sin, cos, zero], [zero, zero, one]])


class _LookUp(torch.autograd.Function):
    """Bilinear sampling at a fixed grid. It is linear in the images, so its derivatives are its transpose."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, grid: Tensor) -> Tensor:
        ctx.save_for_backward(grid)
        ctx.shape = images.shape
        return torch.grid_sampler_2d(images, grid, _BILINEAR, _REFLECTION, False)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _LookUpAdjoint.apply(gradient, ctx.saved_tensors[0], ctx.shape), None


class _LookUpAdjoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gradient: Tensor, grid: Tensor, shape: torch.Size) -> Tensor:
        ctx.save_for_backward(grid)
        images = gradient.new_empty(shape)  # only its shape is used
        wanted = [True, False]
        return torch.ops.aten.grid_sampler_2d_backward(
            gradient, images, grid, _BILINEAR, _REFLECTION, False, wanted
        )[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _LookUp.apply(gradient, ctx.saved_tensors[0]), None, None


@dataclass
class AugmentProbability:
    """p, steered so that the mean sign of D on real images stays at a target. Source: sec. 3, r_t."""

    p: float = 0.0
    sign: float = 0.0
    """The last measured r_t: -1..1, high where D overfits."""

    def steer(self, sign: float, target: float, step: float) -> None:
        """Move p by `step` towards the target, given r_t measured since the last call."""
        self.sign = sign
        self.p = min(max(self.p + math.copysign(step, sign - target), 0.0), 1.0)
