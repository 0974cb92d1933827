"""Pictures with the smoothness of faces, no two alike, in milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face


@pytest.fixture(scope="session")
def portrait() -> Callable[[int], np.ndarray]:
    """portrait(seed) -> uint8 [64, 64, 3]: soft random shapes around skin colour, with a little grain."""
    return _portrait


def _portrait(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = np.clip(rng.normal((170, 130, 110), 45, (6, 6, 3)), 0, 255).astype(np.uint8)
    soft = np.asarray(Image.fromarray(coarse).resize((64, 64), Image.Resampling.BICUBIC), dtype=float)
    return np.clip(soft + rng.normal(0, 4, (64, 64, 1)), 1, 254).astype(np.uint8)


@pytest.fixture
def make_faces(tmp_path) -> Callable[..., FaceSet]:
    """make_faces("name", images, split="train") -> FaceSet with ids name-0000, name-0001, ..."""
    return partial(_make_faces, tmp_path)


@pytest.fixture(scope="module")
def make_shared_faces(tmp_path_factory) -> Callable[..., FaceSet]:
    """As make_faces, for sets that several tests of a file use."""
    return partial(_make_faces, tmp_path_factory.mktemp("faces"))


def _make_faces(folder: Path, name: str, images: list[np.ndarray], **fields) -> FaceSet:
    writer = FaceSetWriter(folder / name)
    for index, image in enumerate(images):
        writer.add(image, Face(f"{name}-{index:04d}", **{"seed": index, **fields}))
    return writer.finish()
