"""Faces with easily detected lesions: red or yellow discs on grey."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face, Lesion

COLOURS = {"papule": (200, 40, 50), "pustule": (230, 220, 90)}

MakeSpotted = Callable[..., FaceSet]


def spotted(rng: np.random.Generator, side: int, count: int) -> tuple[np.ndarray, tuple[Lesion, ...]]:
    """A noisy grey square with discs of 8 to 14 px, and their boxes."""
    image = rng.integers(110, 140, (side, side, 3)).astype(np.uint8)
    rows, columns = np.mgrid[:side, :side] + 0.5
    lesions = []
    for _ in range(count):
        radius = rng.uniform(4, 7)
        x, y = rng.uniform(radius, side - radius, 2)
        kind = str(rng.choice(list(COLOURS)))
        image[(rows - y) ** 2 + (columns - x) ** 2 < radius**2] = COLOURS[kind]
        lesions.append(Lesion(kind, x - radius, y - radius, x + radius, y + radius))
    return image, tuple(lesions)


@pytest.fixture
def make_spotted(tmp_path: Path) -> MakeSpotted:
    """`make_spotted("name", {"train": 8, "val": 4})`: one face a person, every fifth without lesions."""

    def make(name: str, per_split: dict[str | None, int], side: int = 96, **fields: object) -> FaceSet:
        rng = np.random.default_rng(0)
        writer = FaceSetWriter(tmp_path / name)
        for split, count in per_split.items():
            for number in range(count):
                image, lesions = spotted(rng, side, 0 if number % 5 == 4 else 4)
                face_id = f"{split}-{number}"
                label = "mild" if lesions else "healthy"
                about = {"label": label, "split": split, "subject": face_id} | fields
                writer.add(image, Face(face_id, lesions=lesions, **about))
        return writer.finish()

    return make
