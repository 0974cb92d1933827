"""A tiny generator of 16 px (six style layers) on disk, and helpers to run a latent tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.models.stylegan2.architecture import Architecture
from anonderm.models.stylegan2.checkpoint import save_gan
from anonderm.models.stylegan2.discriminator import new_discriminator
from anonderm.models.stylegan2.generator import new_generator
from anonderm.models.stylegan2.sampling import LoadedGenerator

Save = Callable[..., Checkpoint]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a GAN with random weights; `seed` chooses them, `base` is the digest noted on the card."""

    def write(
        name: str = "gan",
        label: str | None = None,
        classes: tuple[str, ...] = (),
        seed: int = 0,
        base: str | None = None,
    ) -> Checkpoint:
        arch = Architecture(16, 256, 16, 12, 10, 2, classes=classes)
        random = torch.Generator().manual_seed(seed)
        generator, discriminator = new_generator(arch, random), new_discriminator(arch, random)
        with torch.no_grad():
            for layer in generator.layers():
                layer.noise_strength.fill_(0.02)
            generator.w_average.copy_(torch.randn(arch.w_dim, generator=random) * 0.1)
        card = CheckpointCard(
            "gan", arch.to_card(), 16, classes=classes, label=label, licence="CC0-1.0", notes={"base": base}
        )
        return save_gan(tmp_path / f"{name}.safetensors", generator, discriminator, torch.tensor(0.5), card)

    return write


@pytest.fixture
def model(save: Save) -> LoadedGenerator:
    return LoadedGenerator.of(save(), None)
