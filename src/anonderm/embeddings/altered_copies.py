"""Altered copies of photos, one face a person, for the calibration of matchers and for canaries."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.embeddings.alterations import COPIES, copy


def copies_of(faces: FaceSet, count: int, seed: int, folder: Path, run: RunDir) -> FaceSet:
    """Copies with all alterations but `exact`, of one face each of `count` people, for calibration.

    Rows are like those of canaries, with other faces and alterations for the same seed.
    """
    writer = FaceSetWriter(folder)
    chosen = one_face_each(faces, count, np.random.default_rng([seed, 2]))
    with run.bar("altering copies", len(chosen)) as bar:
        for number, face in enumerate(chosen):
            image_HWC = faces.image(face)
            for order, change in enumerate(COPIES[1:]):
                made = altered(face, change)
                if made.id not in writer.done:
                    rng = np.random.default_rng([seed, 3, number, order])
                    writer.add(copy(image_HWC, change, rng), made)
            bar.advance()
    return writer.finish()


def altered(face: Face, change: str) -> Face:
    return Face(f"{change}-{face.id}", label=change, subject=face.person, parents=(face.id,))


def by_person(faces: FaceSet) -> dict[str, list[Face]]:
    found: dict[str, list[Face]] = {}
    for face in faces:
        found.setdefault(face.person, []).append(face)
    return found


def one_face_each(faces: FaceSet, count: int, rng: np.random.Generator) -> list[Face]:
    people = by_person(faces)
    names = sorted(people)
    drawn = sorted(rng.permutation(len(names))[:count].tolist())
    return [people[names[index]][rng.integers(len(people[names[index]]))] for index in drawn]
