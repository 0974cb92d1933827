"""Easily separable faces: grey with a share of red that grows with severity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir

SMALL = TrainClassifierConfig(
    backbone="test_resnet",
    drop_strides=1,
    epochs=2,
    batch=8,
    learning_rate=3e-3,
    label_smoothing=0.0,
    brightness=(1.0, 1.0),
)


@pytest.fixture
def small_config() -> TrainClassifierConfig:
    return SMALL


MakeFaces = Callable[..., FaceSet]


@pytest.fixture
def make_faces(tmp_path: Path) -> MakeFaces:
    """`make_faces("name", {"healthy": 0, "mild": 90}, {"train": 8, "val": 4})`: 32 px, one face a person."""

    def make(name: str, redness: dict[str, int], per_split: dict[str | None, int]) -> FaceSet:
        rng = np.random.default_rng(len(name))
        writer = FaceSetWriter(tmp_path / name)
        for label, red in redness.items():
            for split, count in per_split.items():
                for number in range(count):
                    image = rng.integers(60, 100, (32, 32, 3), np.uint8)
                    image[8:24, 8:24, 0] += np.uint8(red)
                    face_id = f"{label}-{split}-{number}"
                    writer.add(image, Face(face_id, label=label, split=split, subject=face_id))
        return writer.finish()

    return make


@pytest.fixture
def open_run(tmp_path: Path) -> Callable[..., object]:
    @contextmanager
    def run(name: str, config: TrainClassifierConfig) -> Iterator[RunDir]:
        with RunDir.open(tmp_path / name, "train-classifier", config, {}) as opened:
            yield opened

    return run
