"""The augmentation pipeline.

N images, H x W pixels (a square of 8 or more), 3 colours in -1..1.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from anonderm.gan.augment import colour, frequency_bands, geometry
from anonderm.gan.augment.draw import Draw
from anonderm.gan.augment.resample import resample
from anonderm.gan.batch_split import BatchShare
from anonderm.gan.config import Group


def augment(
    images_N3HW: Tensor,
    groups: Sequence[Group],
    p: float,
    random: torch.Generator,
    share: BatchShare | None = None,
) -> Tensor:
    """Apply each transformation of the groups to each image (of a share of a batch) with probability p.

    With p = 0 or no groups, the images are returned unchanged. They are float32 or float64, in any memory
    format; the result is twice differentiable in them. `random` is on their device and is the only source of
    randomness.
    """
    if p == 0 or not groups:
        return images_N3HW
    x_N3HW, size = images_N3HW, images_N3HW.shape[-1]
    draw = Draw(share or BatchShare.all(len(images_N3HW)), p, random)
    if "blit" in groups:
        x_N3HW = geometry.turn(x_N3HW, draw)
    if "blit" in groups or "geometry" in groups:
        x_N3HW = resample(x_N3HW, geometry.look_up(draw, groups, size))
    if "colour" in groups:
        x_N3HW = colour.transform_colours(x_N3HW, draw)
    if "filter" in groups:
        x_N3HW = frequency_bands.amplify_bands(x_N3HW, draw)
    if "noise" in groups:
        x_N3HW = add_noise(x_N3HW, draw)
    if "cutout" in groups:
        x_N3HW = cut_out(x_N3HW, draw)
    return x_N3HW


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
