"""The stage `generate`: Checkpoints -> FaceSet. A seed fixes a face, whatever else is made beside it.

N images, Z size of z, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import Pixels
from anonderm.core.names import slugs
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.gan.checkpoint import architecture_of, load_generator
from anonderm.gan.config import GenerateConfig
from anonderm.gan.memory import keep_freed_memory
from anonderm.gan.networks import Generator, Noise, to_pixels

# Kernels may round differently for another batch size, so every batch has this one; the last is filled up.
_BATCH = 16


@dataclass(frozen=True)
class _Job:
    """The faces of one checkpoint and one class."""

    checkpoint: Checkpoint
    label: str | None
    class_index: int | None

    @property
    def name(self) -> str:
        return self.label or "face"


def generate(config: GenerateConfig, checkpoints: tuple[Checkpoint, ...], run: RunDir) -> FaceSet:
    """Draw `config.count` faces from each checkpoint (and class); run again, it goes on with those it has.

    Raises ConfigError when two checkpoints would make faces of the same name, InputError, BrokenArtefact.
    """
    keep_freed_memory()
    jobs = [job for checkpoint in checkpoints for job in _jobs(checkpoint)]
    stems = slugs(job.name for job in jobs)
    if len(stems) < len(jobs):
        raise ConfigError("two generators make faces of one label.", "Run generate once for each of them.")
    writer = FaceSetWriter(run.folder / "faces")
    seeds = range(config.first_seed, config.first_seed + config.count)
    with run.bar("generating", len(jobs) * config.count, len(writer.done)) as bar:
        for job in jobs:
            ids = {seed: f"{stems[job.name]}-{seed:08d}" for seed in seeds}
            missing = [seed for seed in seeds if ids[seed] not in writer.done]
            for seed, image_HWC in _draw(job, missing, config):
                writer.add(image_HWC, _row(job, ids[seed], seed, config))
                bar.advance()
    return writer.finish()


def _jobs(checkpoint: Checkpoint) -> list[_Job]:
    architecture_of(checkpoint)  # a checkpoint of another kind is told before the first face is drawn
    if checkpoint.card.classes:
        return [_Job(checkpoint, label, index) for index, label in enumerate(checkpoint.card.classes)]
    return [_Job(checkpoint, checkpoint.card.label, None)]


def _row(job: _Job, id: str, seed: int, config: GenerateConfig) -> Face:
    return Face(
        id=id,
        label=job.label,
        source="anonderm generate",
        licence=job.checkpoint.card.licence,
        checkpoint=job.checkpoint.digest,
        seed=seed,
        psi=config.psi,
    )


def _draw(job: _Job, seeds: list[int], config: GenerateConfig) -> Iterator[tuple[int, Pixels]]:
    if not seeds:
        return
    generator = load_generator(job.checkpoint, launch.device())
    for start in range(0, len(seeds), _BATCH):
        batch = seeds[start : start + _BATCH]
        images = draw_faces(generator, batch, config.psi, config.noise, job.class_index)
        yield from zip(batch, images, strict=True)


@torch.inference_mode()
def draw_faces(
    generator: Generator, seeds: list[int], psi: float, noise: str = "random", class_index: int | None = None
) -> Pixels:
    """uint8 [N, H, W, 3] for at most 16 seeds; each image depends on its own seed alone.

    z is numpy.random.RandomState(seed).randn(1, Z), the convention of the StyleGAN2 programs that exist, so
    their seeds mean the same latents here.
    """
    filled = seeds + seeds[:1] * (_BATCH - len(seeds))
    device = generator.w_average.device
    latents = np.concatenate([_latent(seed, generator.arch.z_dim) for seed in filled])
    z_NZ = torch.from_numpy(latents).to(device)
    label_NK = _one_hot(class_index, generator, len(filled))
    images = generator(z_NZ, label_NK, _noise(generator, filled, noise), psi)
    return to_pixels(images[: len(seeds)])


def _latent(seed: int, size: int) -> np.ndarray:
    return np.random.RandomState(seed).randn(1, size).astype(np.float32)


def _one_hot(class_index: int | None, generator: Generator, count: int) -> Tensor | None:
    if class_index is None:
        return None
    index_N = torch.full((count,), class_index, device=generator.w_average.device)
    return F.one_hot(index_N, len(generator.arch.classes)).float()


def _noise(generator: Generator, seeds: list[int], kind: str) -> Noise | None:
    if kind == "none":
        return None
    if kind == "const":
        return generator.constant_noise()
    device = generator.w_average.device
    # Drawn on the CPU, whose random numbers are the same on every machine.
    maps = [generator.random_noise(1, launch.step_generator(seed, 0)) for seed in seeds]
    return [torch.cat(layer).to(device) for layer in zip(*maps, strict=True)]
