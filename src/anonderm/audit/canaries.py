"""Canaries: altered copies of training photos, which the audit must find among the synthetic faces.

An audit that finds no leak is credible only if it would have found one.
"""

# R canaries, N training faces

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import Pixels
from anonderm.core.results.audit import CanaryRecall
from anonderm.core.results.base import Score
from anonderm.core.results.verdict import COPIES
from anonderm.core.rundir import RunDir
from anonderm.core.splits import rows_by_group
from anonderm.embeddings.alterations import BLENDS, altered, blend, copy, one_face_each
from anonderm.embeddings.matchers.matcher import Templates
from anonderm.metrics.bootstrap import wilson_interval
from anonderm.metrics.pairwise import distances

_BATCH = 256  # canaries searched for together

OTHER_PHOTO = "other_photo"
ALTERATIONS = (*COPIES, *BLENDS, OTHER_PHOTO)


def write_canaries(
    training: FaceSet, synthetic: FaceSet, count: int, seed: int, folder: Path, run: RunDir
) -> FaceSet:
    """Canaries with each of ALTERATIONS for `count` people of the training set, or all of them.

    label: the alteration; subject: the person; parents: the original. Blends are with synthetic faces. The
    other photo of a person who has two is used unchanged. Written face by face and resumed; the same seed
    gives the same canaries. Raises MissingPath or UnreadableImage.
    """
    writer = FaceSetWriter(folder)
    chosen = one_face_each(training, count, np.random.default_rng([seed, 0]))
    several = {person for person, photos in Counter(face.person for face in training).items() if photos > 1}
    with run.bar("writing canaries", len(chosen)) as bar:
        for number, face in enumerate(chosen):
            image_HWC = training.image(face)
            for order, alteration in enumerate(ALTERATIONS):
                canary = altered(face, alteration)
                if canary.id in writer.done or (alteration == OTHER_PHOTO and face.person not in several):
                    continue
                rng = np.random.default_rng([seed, 1, number, order])
                writer.add(_altered_image(image_HWC, alteration, synthetic, rng), canary)
            bar.advance()
    return writer.finish()


def _altered_image(
    image_HWC: Pixels, alteration: str, synthetic: FaceSet, rng: np.random.Generator
) -> Pixels:
    if alteration in BLENDS:
        return blend(image_HWC, synthetic.image(synthetic.faces[rng.integers(len(synthetic))]), alteration)
    return image_HWC if alteration == OTHER_PHOTO else copy(image_HWC, alteration, rng)


def search_canaries(
    canaries: FaceSet, canary_templates: Templates, training: FaceSet, training_views: Templates
) -> NDArray[np.float32]:
    """Distance [R] of each canary to the nearest training face, if that is one of the canary's person.

    inf where another person is nearer, or the canary could not be enrolled. A person's other photo is not
    compared with itself.
    """
    people_N = np.array([face.person for face in training])
    row_of = {face.id: row for row, face in enumerate(training.faces)}
    found_R = np.full(len(canaries), np.inf, np.float32)
    for start in range(0, len(canaries), _BATCH):
        batch = range(start, min(start + _BATCH, len(canaries)))
        for index, distance_N in zip(batch, distances(canary_templates[batch], training_views), strict=True):
            face = canaries.faces[index]
            if face.label == OTHER_PHOTO:
                distance_N[row_of[face.parents[0]]] = np.inf
            nearest = int(np.argmin(distance_N))
            if people_N[nearest] == face.subject:
                found_R[index] = distance_N[nearest]
    return found_R


def canary_recall(
    matcher: str, alterations: Sequence[str], found_R: NDArray[np.bool_]
) -> tuple[CanaryRecall, ...]:
    """The recall of each alteration, with Wilson's interval: there is one canary a person."""
    scores = {}
    for rows in rows_by_group(alterations):
        found, n = int(found_R[rows].sum()), len(rows)
        scores[alterations[int(rows[0])]] = Score(found / n, *wilson_interval(found, n), n, True)
    return tuple(CanaryRecall(matcher, each, scores[each]) for each in ALTERATIONS if each in scores)
