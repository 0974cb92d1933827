"""Faces with skin masks that any network can find: a bright disc on a dark ground."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face

SPLITS = {"train": 6, "val": 3, "test": 3}


def disc(height: int, width: int, radius: float, centre: tuple[float, float] = (0.5, 0.5)) -> np.ndarray:
    """bool [H, W]; radius and centre (down, right) as shares of the shorter side and of each side."""
    down_H, right_W = np.arange(height) + 0.5, np.arange(width) + 0.5
    offsets = (down_H[:, None] - centre[0] * height) ** 2 + (right_W[None, :] - centre[1] * width) ** 2
    return offsets < (radius * min(height, width)) ** 2


def photo(mask_HW: np.ndarray, seed: int, skin: tuple[int, int, int] = (224, 172, 140)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image_HWC = rng.integers(20, 60, (*mask_HW.shape, 3)).astype(np.uint8)
    image_HWC[mask_HW] = skin
    return image_HWC


def make_faces(folder: Path, size: int = 64, splits: dict[str | None, int] | None = None) -> FaceSet:
    writer = FaceSetWriter(folder)
    for split, count in (splits or SPLITS).items():
        for number in range(count):
            mask_HW = disc(size, size, 0.2 + 0.02 * number, (0.4 + 0.03 * number, 0.5))
            name = f"{split}-{number}"
            face = Face(name, label="healthy", subject=name, split=split, licence="CC0-1.0")
            writer.add(photo(mask_HW, number), face, mask_HW)
    return writer.finish()


@pytest.fixture
def faces(tmp_path: Path) -> FaceSet:
    return make_faces(tmp_path / "faces")
