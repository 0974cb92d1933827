"""Projection: find the w and noise maps with which a generator best reproduces given images.

It minimises a distance other than LPIPS, whose VGG weights are not included: of colours at every scale,
and of the features of the discriminator that belongs to the generator.

N images, L style layers, D size of w, C channels, H x W pixels, F features. Source: Karras et al. 2020
(StyleGAN2), appendix D.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.launch import step_generator
from anonderm.models.stylegan2.checkpoint import load_discriminator
from anonderm.models.stylegan2.discriminator import Discriminator
from anonderm.models.stylegan2.generator import Generator
from anonderm.models.stylegan2.projection_settings import DistanceName, ProjectionSettings

_SMALLEST = 8  # px
_RAMP_UP, _RAMP_DOWN, _PERTURBED = 0.05, 0.25, 0.75  # shares of the steps


Features = Callable[[Tensor], Tensor]
"""Maps images [N, 3, H, W] in -1..1 to rows [N, F], whose squared distance is that of the images."""


def image_features(name: DistanceName, checkpoint: Checkpoint, device: str) -> Features:
    """Of the named distance. Raises InputError if it needs a discriminator and the checkpoint has none."""
    if name == "pyramid":
        return pyramid
    discriminator = load_discriminator(checkpoint, device)

    def both(images_N3HW: Tensor) -> Tensor:
        return torch.cat([pyramid(images_N3HW), discriminator_features(discriminator, images_N3HW)], dim=1)

    return both


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


@dataclass(frozen=True)
class StyleDistribution:
    """The mean [D] of the w of a generator, and the root mean square distance from it."""

    mean_D: Tensor
    deviation: float

    @staticmethod
    def of(w_ND: Tensor) -> StyleDistribution:
        mean_D = w_ND.mean(dim=0)
        return StyleDistribution(mean_D, float((w_ND - mean_D).square().sum(dim=1).mean().sqrt()))


@dataclass(frozen=True)
class Projection:
    """The result for each image: w [N, D], the noise maps [N, 1, h, w] of each layer, the reconstruction
    [N, 3, H, W], and the remaining distance [N]."""

    w_ND: Tensor
    noise: list[Tensor]
    images_N3HW: Tensor
    distance_N: Tensor


def project(
    generator: Generator,
    images_N3HW: Tensor,
    features: Features,
    styles: StyleDistribution,
    settings: ProjectionSettings,
    on_step: Callable[[int, Tensor], None] = lambda step, distance_N: None,
) -> Projection:
    """Optimise w and noise maps for each image, starting from the mean w.

    images: in -1..1, of the generator's size and on its device; `on_step` is called with each step and its
    distances [N]. All images get the same random numbers, so a result does not depend on the rest of the
    batch.
    """
    count, device = len(images_N3HW), images_N3HW.device
    target_NF = features(images_N3HW).detach()
    w_ND = styles.mean_D.expand(count, -1).clone().requires_grad_()
    maps = generator.random_noise(1, step_generator(settings.seed, 0))
    noise = [each.to(device).repeat(count, 1, 1, 1).requires_grad_() for each in maps]
    adam = torch.optim.Adam([w_ND, *noise], betas=(0.9, 0.999))
    for step in range(settings.steps):
        done = step / settings.steps
        for group in adam.param_groups:
            group["lr"] = settings.learning_rate * _ramp(done)
        strength = settings.start_noise * styles.deviation * max(0.0, 1 - done / _PERTURBED) ** 2
        perturbation_1D = _normal((1, w_ND.shape[1]), settings.seed, step + 1, device)
        images = generator.synthesise(_every_layer(generator, w_ND + strength * perturbation_1D), noise)
        distance_N = (features(images) - target_NF).square().sum(dim=1)
        loss = distance_N.sum() + settings.noise_weight * noise_structure(noise)
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
        _renormalise(noise)
        on_step(step, distance_N.detach())
    with torch.no_grad():
        images = generator.synthesise(_every_layer(generator, w_ND), noise)
        left_N = (features(images) - target_NF).square().sum(dim=1)
    return Projection(w_ND.detach(), [each.detach() for each in noise], images, left_N)


def noise_structure(noise: list[Tensor]) -> Tensor:
    """The squared correlation of each map with itself shifted by a pixel, summed over scales down to 8 px.

    Averaging 2 x 2 pixels and doubling keeps the variance of white noise at 1. Source: appendix D, eq. 2.
    """
    total = noise[0].new_zeros(())
    for map_N1HW in noise:
        level = map_N1HW
        while True:
            for axis in (2, 3):
                total = total + (level * level.roll(1, axis)).mean(dim=(1, 2, 3)).square().sum()
            if level.shape[-1] <= _SMALLEST:
                break
            level = F.avg_pool2d(level, 2) * 2
    return total


def _ramp(done: float) -> float:
    """The learning rate schedule: linear rise, constant, half a cosine down."""
    down = min(1.0, (1 - done) / _RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, done / _RAMP_UP)


def _every_layer(generator: Generator, w_ND: Tensor) -> Tensor:
    return w_ND[:, None].expand(-1, generator.style_layers, -1)


def _normal(shape: tuple[int, ...], seed: int, stream: int, device: torch.device) -> Tensor:
    # Drawn on the CPU, as CPU random numbers are the same on every machine.
    return torch.randn(shape, generator=step_generator(seed, stream)).to(device)


@torch.no_grad()
def _renormalise(noise: list[Tensor]) -> None:
    for map_N1HW in noise:
        map_N1HW -= map_N1HW.mean(dim=(1, 2, 3), keepdim=True)
        map_N1HW *= map_N1HW.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
