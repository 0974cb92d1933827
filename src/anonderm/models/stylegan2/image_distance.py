"""Differentiable distances between images, which projection minimises instead of LPIPS.

LPIPS compares the features of a VGG network whose weights are not included. These distances need none: they
compare colours at every scale, and the features of the discriminator that belongs to the generator.

N images, C channels, H x W pixels, F features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.models.stylegan2.checkpoint import load_discriminator
from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.projection_settings import DistanceName

_SMALLEST = 8


@dataclass(frozen=True)
class ImageDistance:
    """The squared distance of `features`, which maps images [N, 3, H, W] in -1..1 to rows [N, F]."""

    name: str
    features: Callable[[Tensor], Tensor]

    def between(self, images_N3HW: Tensor, target_NF: Tensor) -> Tensor:
        """Distance [N] of each image from the features of its target."""
        return (self.features(images_N3HW) - target_NF).square().sum(dim=1)


def image_distance(name: DistanceName, checkpoint: Checkpoint, device: str) -> ImageDistance:
    """The named distance. Raises InputError if it needs a discriminator and the checkpoint has none."""
    if name == "pyramid":
        return ImageDistance(name, pyramid)
    discriminator = load_discriminator(checkpoint, device)

    def both(images_N3HW: Tensor) -> Tensor:
        return torch.cat([pyramid(images_N3HW), discriminator_features(discriminator, images_N3HW)], dim=1)

    return ImageDistance(name, both)


def pyramid(images_N3HW: Tensor) -> Tensor:
    """Colours and differences between neighbouring pixels, at full size, half size, and so on down to 8 px.

    The squared distance of two rows is the mean squared difference of colours plus that of the differences
    between neighbours (edges), summed over sizes.
    """
    rows, level = [], images_N3HW
    while True:
        down, right = level.diff(dim=2), level.diff(dim=3)
        rows += [part.flatten(1) / part[0].numel() ** 0.5 for part in (level, down, right)]
        if level.shape[-1] <= _SMALLEST:
            return torch.cat(rows, dim=1)
        level = F.avg_pool2d(level, 2)


def discriminator_features(discriminator: Discriminator, images_N3HW: Tensor) -> Tensor:
    """The feature maps of the discriminator, normalised over the channels of each pixel.

    The squared distance of two rows is the mean over pixels and layers, 0..4. The scheme is that of Zhang et
    al. 2018 (LPIPS), without learned weights.
    """
    rows, x = [], discriminator.from_rgb(images_N3HW)
    for block in discriminator.blocks:
        x = block(x)
        unit = F.normalize(x, dim=1)
        pixels, layers = x.shape[-1] ** 2, len(discriminator.blocks)
        rows.append(unit.flatten(1) / (pixels * layers) ** 0.5)
    return torch.cat(rows, dim=1)
