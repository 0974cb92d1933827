"""Seeds -> latents z -> styles w -> pixels. A face depends only on its seed, not on the others of its batch.

N faces, L style layers, Z / D size of z / w, K classes, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, resize, square
from anonderm.core.rundir import RunDir
from anonderm.models.stylegan2.checkpoint import load_generator
from anonderm.models.stylegan2.generator import Generator, Noise, to_pixels
from anonderm.models.stylegan2.range_options import psi_by_layer

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
        rows.append(generator.mapping(z_NZ, one_hot(class_index, generator, BATCH))[: len(batch)])
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


_MAPPING_BATCH = 1000


@dataclass(frozen=True)
class LoadedGenerator:
    """`class_index` is None for an unconditional generator."""

    checkpoint: Checkpoint
    generator: Generator
    class_index: int | None

    @staticmethod
    def of(checkpoint: Checkpoint, label: str | None) -> LoadedGenerator:
        """Raises ConfigError (the class is unknown or must be given), InputError, BrokenArtefact."""
        launch.keep_freed_memory()
        generator = load_generator(checkpoint, launch.device())
        classes = generator.arch.classes
        if not classes and label is None:
            return LoadedGenerator(checkpoint, generator, None)
        if label not in classes:
            known = f"Its classes: {', '.join(classes)}." if classes else "It has no classes: remove --label."
            problem = f"has no class {label!r}" if label else "is conditional and needs a class (--label)"
            raise ConfigError(f"{checkpoint.path.name}: this generator {problem}.", known)
        return LoadedGenerator(checkpoint, generator, classes.index(label))

    @property
    def device(self) -> str:
        return str(self.generator.w_average.device)

    def styles(self, seeds: Sequence[int], psi: float, psi_layers: Sequence[str] = ()) -> Tensor:
        """w [N, L, D] of each seed, truncated by style layer. Raises ConfigError for a layer it lacks."""
        by_layer = psi_by_layer(psi, psi_layers, self.generator.style_layers)
        return self.generator.truncate(styles(self.generator, seeds, self.class_index), by_layer)

    @torch.inference_mode()
    def sample_styles(self, count: int, random: torch.Generator) -> Tensor:
        """w [N, D] of random latents, without truncation. random: on the CPU."""
        generator, rows = self.generator, []
        for start in range(0, count, _MAPPING_BATCH):
            size = min(_MAPPING_BATCH, count - start)
            z_NZ = torch.randn(size, generator.arch.z_dim, generator=random).to(self.device)
            rows.append(generator.mapping(z_NZ, one_hot(self.class_index, generator, size)))
        return torch.cat(rows)

    def draw(self, w_NLD: Tensor, run: RunDir) -> Pixels:
        """uint8 [N, H, W, 3] with constant noise, so that images differ only by w."""
        rows = []
        with run.bar("drawing faces", len(w_NLD)) as bar:
            for batch_BLD in w_NLD.split(BATCH):
                rows.append(synthesise(self.generator, batch_BLD, "const"))
                bar.advance(len(batch_BLD))
        return np.concatenate(rows)


def target_images(faces: FaceSet, size: int) -> Tensor:
    """The largest centred squares [N, 3, size, size] in -1..1."""
    images = np.stack([resize(square(faces.image(face)), size) for face in faces])
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
