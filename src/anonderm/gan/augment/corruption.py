"""Additive noise and cutout. N images, H x W pixels (a square of `size`), 3 colours in -1..1."""

from __future__ import annotations

import torch
from torch import Tensor

from anonderm.gan.augment.draw import Draw

_NOISE = 0.1
_CUTOUT = 0.5  # of the image's side


def add_noise(images_N3HW: Tensor, draw: Draw) -> Tensor:
    """Independent for each colour of each pixel, with a half-normal strength per image."""
    strength_N = draw.chosen(draw.normal().abs() * _NOISE, 0)
    noise_N3HW = draw.normal(*images_N3HW.shape[1:]) * strength_N[:, None, None, None]
    return images_N3HW + noise_N3HW.to(images_N3HW.dtype)


def cut_out(images_N3HW: Tensor, draw: Draw) -> Tensor:
    """Set a square at a random position to grey (0); it may extend beyond the edges."""
    half_N = draw.chosen(torch.full((len(draw.share),), _CUTOUT / 2, device=draw.random.device), 0)
    size = images_N3HW.shape[-1]
    place_W = (torch.arange(size, device=draw.random.device) + 0.5) / size
    inside_N2W = (place_W - draw.uniform(2)[:, :, None]).abs() < half_N[:, None, None]
    box_N1HW = inside_N2W[:, 1, None, :, None] & inside_N2W[:, 0, None, None, :]
    return images_N3HW.masked_fill(box_N1HW, 0)
