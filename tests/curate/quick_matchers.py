"""Matchers that work in milliseconds, and portraits that they recognise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import resize
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.matcher import Templates

MEMBERS, NON_MEMBERS, UNRELATED = 40, 40, 200


@dataclass(frozen=True)
class Brightness:
    """Recognises people by where their picture is bright: thumbnails, plain and mirrored."""

    name: str = "copy"
    recognises_people: bool = True

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        small_NHW = np.stack([resize(faces.image(face), 8).mean(axis=2) for face in faces]) / 255
        sides = (small_NHW, small_NHW[:, :, ::-1]) if views else (small_NHW,)
        return Templates.of(np.stack([s.reshape(len(faces), -1) for s in sides], 1).astype(np.float32))


@dataclass(frozen=True)
class Noise(Brightness):
    """Uninformative: its rows are noise."""

    name: str = "encoder"

    def extract(self, faces: FaceSet, run: RunDir, *, views: bool = False) -> Templates:
        rng = np.random.default_rng(len(faces) + views)
        return Templates.of(rng.normal(size=(len(faces), 1 + views, 8)).astype(np.float32))


def portrait(rng: np.random.Generator) -> np.ndarray:
    return resize(rng.integers(0, 256, (7, 7, 3), dtype=np.uint8), 32)


def people(folder: Path) -> FaceSet:
    """Two photos each of MEMBERS people in training and NON_MEMBERS people held out."""
    rng, writer = np.random.default_rng(0), FaceSetWriter(folder)
    for person in range(MEMBERS + NON_MEMBERS):
        look, split = portrait(rng).astype(int), "train" if person < MEMBERS else "test"
        for photo in range(2):
            image = np.clip(look + rng.normal(0, 10, look.shape), 0, 255).astype(np.uint8)
            writer.add(image, Face(f"p{person:03d}-{photo}", subject=f"p{person:03d}", split=split))
    return writer.finish()


def portraits() -> list[np.ndarray]:
    """Of UNRELATED people, none of them in `people`."""
    rng = np.random.default_rng(1)
    return [portrait(rng) for _ in range(UNRELATED)]


def written(folder: Path, images: list[np.ndarray], names: list[str] | None = None) -> FaceSet:
    writer = FaceSetWriter(folder)
    for number, image in enumerate(images):
        writer.add(image, Face(names[number] if names else f"s{number:03d}", seed=number))
    return writer.finish()
