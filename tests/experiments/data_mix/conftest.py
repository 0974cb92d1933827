"""Grey faces with a red square that tells the class, 32 px; two faces a person, or a face a latent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.results.base import FILE
from anonderm.core.results.data_mix import DataMixResult
from anonderm.core.rundir import RunDir
from anonderm.experiments.data_mix.config import DataMixConfig
from anonderm.experiments.data_mix.study import evaluate_data_mix

CLASSES = ("healthy", "mild")
QUICK: dict[str, Any] = {
    "backbone": "test_resnet",
    "drop_strides": 1,
    "epochs": 3,
    "batch": 8,
    "learning_rate": 3e-3,
    "label_smoothing": 0.0,
    "brightness": (0.9, 1.1),
    "ratios": (1.0,),
    "seeds": 1,
    "bootstrap_samples": 100,
}


def picture(label: str, rng: np.random.Generator) -> np.ndarray:
    image = rng.integers(60, 100, (32, 32, 3), np.uint8)
    image[8:24, 8:24, 0] += np.uint8(90 * CLASSES.index(label))
    return image


def real_faces(folder: Path, seed: int = 0, **per_split: int) -> FaceSet:
    rng, writer = np.random.default_rng(seed), FaceSetWriter(folder)
    counts = per_split or {"train": 12, "val": 4, "test": 12}
    for label in CLASSES:
        for split, count in counts.items():
            for number in range(count):
                person = f"{label}-{split}-{number // 2}"
                ita = 50.0 if number % 4 < 2 else -20.0
                face = Face(f"{label}-{split}-{number}", label=label, split=split, subject=person, ita=ita)
                writer.add(picture(label, rng), face)
    return writer.finish()


def synthetic_faces(folder: Path, count: int = 30, swapped: bool = False, **changes: Any) -> FaceSet:
    """Drawn like the real ones; swapped: each look carries the other class."""
    rng, writer = np.random.default_rng(1), FaceSetWriter(folder)
    for look, label in enumerate(CLASSES):
        for number in range(count):
            given = CLASSES[1 - look] if swapped else label
            face = Face(f"{label}-{number}", label=given, checkpoint=f"gan-{label}", seed=number, **changes)
            writer.add(picture(label, rng), face)
    return writer.finish()


def evaluate(folder: Path, real: FaceSet, synthetic: FaceSet, **changes: Any) -> DataMixResult:
    config = DataMixConfig(**(QUICK | changes))
    with RunDir.open(folder, "evaluate data-mix", config, {}) as run:
        result = evaluate_data_mix(config, real, synthetic, (), run)
        result.save(folder / FILE)
        run.finish([folder / FILE])
    return result
