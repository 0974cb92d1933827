"""Seeds -> latents z -> styles w -> pixels; a seed fixes a face, whatever else is drawn beside it.

N faces, L style layers, Z / D size of z / w, K classes, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.core import launch
from anonderm.core.images import Pixels
from anonderm.models.stylegan2.generator import Generator, Noise, to_pixels

# Kernels may round differently for another batch size, so every batch has this one; the last is filled up.
BATCH = 16


def latents(generator: Generator, seeds: Sequence[int]) -> Tensor:
    """z [N, Z] = numpy.random.RandomState(seed).randn(1, Z).

    The convention of the StyleGAN2 programs that exist, so that their seeds mean the same latents here.
    """
    size = generator.arch.z_dim
    rows = [np.random.RandomState(seed).randn(1, size).astype(np.float32) for seed in seeds]
    return torch.from_numpy(np.concatenate(rows)).to(generator.w_average.device)


@torch.inference_mode()
def styles(generator: Generator, seeds: Sequence[int], class_index: int | None = None) -> Tensor:
    """w [N, D] of each seed, without truncation."""
    rows = []
    for start in range(0, len(seeds), BATCH):
        batch = seeds[start : start + BATCH]
        z_NZ = latents(generator, _filled(batch))
        rows.append(generator.map(z_NZ, one_hot(class_index, generator, BATCH))[: len(batch)])
    return torch.cat(rows)


def _filled(seeds: Sequence[int]) -> list[int]:
    return [*seeds, *[seeds[0]] * (BATCH - len(seeds))]


def one_hot(class_index: int | None, generator: Generator, count: int) -> Tensor | None:
    """The label [N, K] of one class for `count` faces; None without a class."""
    if class_index is None:
        return None
    index_N = torch.full((count,), class_index, device=generator.w_average.device)
    return F.one_hot(index_N, len(generator.arch.classes)).float()


@torch.inference_mode()
def pictures(generator: Generator, w_NLD: Tensor, noise: str, seeds: Sequence[int] = ()) -> Pixels:
    """uint8 [N, H, W, 3]. noise: const, none, or random, drawn from each face's own of the seeds."""
    rows = []
    for start in range(0, len(w_NLD), BATCH):
        batch_BLD = w_NLD[start : start + BATCH]
        count = len(batch_BLD)
        filled_BLD = torch.cat([batch_BLD, batch_BLD[:1].expand(BATCH - count, -1, -1)])
        own = _filled(seeds[start : start + count]) if noise == "random" else []
        rows.append(to_pixels(generator.synthesise(filled_BLD, _noise(generator, own, noise))[:count]))
    return np.concatenate(rows)


def _noise(generator: Generator, seeds: list[int], kind: str) -> Noise | None:
    if kind == "none":
        return None
    if kind == "const":
        return generator.constant_noise()
    device = generator.w_average.device
    # Drawn on the CPU, whose random numbers are the same on every machine.
    maps = [generator.random_noise(1, launch.step_generator(seed, 0)) for seed in seeds]
    return [torch.cat(layer).to(device) for layer in zip(*maps, strict=True)]


def draw_faces(
    generator: Generator,
    seeds: Sequence[int],
    psi: Sequence[float],
    noise: str = "random",
    class_index: int | None = None,
) -> Pixels:
    """uint8 [N, H, W, 3], one image a seed; psi: one truncation a style layer."""
    w_ND = styles(generator, seeds, class_index)
    return pictures(generator, generator.truncate(w_ND, psi), noise, seeds)
