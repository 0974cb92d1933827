"""Known leaks planted in a copy of the synthetic set: what an audit must find to be believed."""

# R plants, N training faces

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import Pixels
from anonderm.core.rundir import RunDir
from anonderm.core.splits import rows_by_group
from anonderm.embeddings.alterations import BLENDS, COPIES, blend, copy
from anonderm.embeddings.altered_copies import altered, by_person, one_face_each
from anonderm.embeddings.matchers.matcher import Templates
from anonderm.metrics.bootstrap import wilson_interval
from anonderm.metrics.pairwise import distances

_AT_A_TIME = 256  # plants that are searched for together

OTHER_PHOTO = "other_photo"
PLANTS = (*COPIES, *BLENDS, OTHER_PHOTO)


def plant(training: FaceSet, synthetic: FaceSet, count: int, seed: int, folder: Path, run: RunDir) -> FaceSet:
    """A FaceSet of PLANTS for `count` people of the training set, or as many as there are.

    label: the change; subject: the person; parents: the training face it was made of. Blends are with
    synthetic faces. A person's other photo is planted as it is, where there are two. Written face by face and
    resumed; the same seed gives the same plants. Raises MissingPath or UnreadableImage.
    """
    writer = FaceSetWriter(folder)
    chosen = one_face_each(training, count, np.random.default_rng([seed, 0]))
    several = {person for person, faces in by_person(training).items() if len(faces) > 1}
    with run.bar("planting leaks", len(chosen)) as bar:
        for number, face in enumerate(chosen):
            image_HWC = training.image(face)
            for order, change in enumerate((*COPIES, *BLENDS, OTHER_PHOTO)):
                planted = altered(face, change)
                if planted.id in writer.done or (change == OTHER_PHOTO and face.person not in several):
                    continue
                rng = np.random.default_rng([seed, 1, number, order])
                writer.add(_changed(image_HWC, change, synthetic, rng), planted)
            bar.advance()
    return writer.finish()


def _changed(image_HWC: Pixels, change: str, synthetic: FaceSet, rng: np.random.Generator) -> Pixels:
    if change in BLENDS:
        return blend(image_HWC, synthetic.image(synthetic.faces[rng.integers(len(synthetic))]), change)
    return image_HWC if change == OTHER_PHOTO else copy(image_HWC, change, rng)


@dataclass(frozen=True)
class Found:
    """Which plants lead a matcher to the right person: nearest of all training faces is one of that person.

    distances_R: to that face; inf where somebody else is nearer, or the matcher sees no face.
    """

    changes: tuple[str, ...]
    distances_R: NDArray[np.float32]

    def hits(self, threshold: float) -> NDArray[np.bool_]:
        return np.asarray(self.distances_R <= threshold)


def look_for(plants: FaceSet, described: Templates, training: FaceSet, views: Templates) -> Found:
    """Search the training faces for each plant; a person's other photo is not compared with itself.

    described: the plants; views: the training faces.
    """
    people_N = np.array([face.person for face in training])
    row_of = {face.id: row for row, face in enumerate(training.faces)}
    found_R = np.full(len(plants), np.inf, np.float32)
    for start in range(0, len(plants), _AT_A_TIME):
        some = range(start, min(start + _AT_A_TIME, len(plants)))
        for index, distance_N in zip(some, distances(described[some], views), strict=True):
            face = plants.faces[index]
            if face.label == OTHER_PHOTO:
                distance_N[row_of[face.parents[0]]] = np.inf
            nearest = int(np.argmin(distance_N))
            if people_N[nearest] == face.subject:
                found_R[index] = distance_N[nearest]
    return Found(tuple(face.label or "" for face in plants), found_R)


def shares(changes: Sequence[str], hits_R: NDArray[np.bool_]) -> dict[str, tuple[int, int, float, float]]:
    """For each change: hits, plants, and the 95% interval of their share (Wilson; one plant a person)."""
    counts = {}
    for rows in rows_by_group(changes):
        hits, n = int(hits_R[rows].sum()), len(rows)
        counts[changes[int(rows[0])]] = (hits, n, *wilson_interval(hits, n))
    return {change: counts[change] for change in PLANTS if change in counts}
