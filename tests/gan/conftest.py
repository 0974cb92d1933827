"""Small face sets and a quick training configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.gan.config import TrainGanConfig
from anonderm.gan.train import train_gan

QUICK = TrainGanConfig(
    kimg=0.04, batch=4, tick_kimg=0.012, samples=4, metric_faces=16, metric_extractor="thumbnail"
)
"""Ten steps of four images, a tick every three steps."""


def make_faces(folder: Path, count: int = 12, size: int = 32, split: str | None = "train") -> FaceSet:
    """Smooth coloured blobs, the first half mild and the second severe."""
    random = np.random.default_rng(0)
    writer = FaceSetWriter(folder)
    ramp = np.linspace(0, 1, size)
    for index in range(count):
        colour, slope = random.integers(0, 200, 3), random.integers(-50, 50, 2)
        shade_HW = slope[0] * ramp[:, None] + slope[1] * ramp[None, :]
        pixels = np.clip(colour + shade_HW[:, :, None], 0, 255).astype(np.uint8)
        label = "mild" if index < count // 2 else "severe"
        writer.add(pixels, Face(id=f"{label}-{index:03d}", label=label, split=split, licence="CC0-1.0"))
    return writer.finish()


def train(
    config: TrainGanConfig, faces: FaceSet, folder: Path, base: Checkpoint | None = None
) -> dict[str, Tensor]:
    """The tensors of the checkpoint that this training leaves."""
    with RunDir.open(folder, "train-gan", config, {}) as run:
        return train_gan(config, faces, base, run).tensors()


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def faces(tmp_path: Path) -> FaceSet:
    return make_faces(tmp_path / "faces")
