"""Seeds -> latents z -> styles w -> pixels. A face depends only on its seed, not on the others of its batch.

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

# Rounding can depend on the batch size, so all batches have this size; the last one is padded.
BATCH = 16


def latents(generator: Generator, seeds: Sequence[int]) -> Tensor:
    """z [N, Z] = numpy.random.RandomState(seed).randn(1, Z).

    This is the convention of NVIDIA's StyleGAN2 programs, so seeds give the same latents as there.
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
        z_NZ = latents(generator, _padded(batch))
        rows.append(generator.map(z_NZ, one_hot(class_index, generator, BATCH))[: len(batch)])
    return torch.cat(rows)


def _padded(seeds: Sequence[int]) -> list[int]:
    return [*seeds, *[seeds[0]] * (BATCH - len(seeds))]


def one_hot(class_index: int | None, generator: Generator, count: int) -> Tensor | None:
    """The labels [N, K] of `count` faces of one class; None without a class."""
    if class_index is None:
        return None
    index_N = torch.full((count,), class_index, device=generator.w_average.device)
    return F.one_hot(index_N, len(generator.arch.classes)).float()


@torch.inference_mode()
def synthesise(generator: Generator, w_NLD: Tensor, noise: str, seeds: Sequence[int] = ()) -> Pixels:
    """uint8 [N, H, W, 3]. noise: const, none, or random, which is drawn from the seed of each face."""
    rows = []
    for start in range(0, len(w_NLD), BATCH):
        batch_BLD = w_NLD[start : start + BATCH]
        count = len(batch_BLD)
        filled_BLD = torch.cat([batch_BLD, batch_BLD[:1].expand(BATCH - count, -1, -1)])
        own = _padded(seeds[start : start + count]) if noise == "random" else []
        rows.append(to_pixels(generator.synthesise(filled_BLD, _noise(generator, own, noise))[:count]))
    return np.concatenate(rows)


def _noise(generator: Generator, seeds: list[int], kind: str) -> Noise | None:
    if kind == "none":
        return None
    if kind == "const":
        return generator.constant_noise()
    device = generator.w_average.device
    # Drawn on the CPU, as CPU random numbers are the same on every machine.
    maps = [generator.random_noise(1, launch.step_generator(seed, 0)) for seed in seeds]
    return [torch.cat(layer).to(device) for layer in zip(*maps, strict=True)]


def draw_faces(
    generator: Generator,
    seeds: Sequence[int],
    psi: Sequence[float],
    noise: str = "random",
    class_index: int | None = None,
) -> Pixels:
    """uint8 [N, H, W, 3], one image per seed; psi: the truncation of each style layer."""
    w_ND = styles(generator, seeds, class_index)
    return synthesise(generator, generator.truncate(w_ND, psi), noise, seeds)
