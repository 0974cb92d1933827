"""grade: FaceSets -> FaceSet, each face labelled with the class that a classifier predicts.

faces/     the faces with a confident prediction, with label and confidence
rejected/  ambiguous faces, with their two most probable classes as the reason, and surplus faces
"""

# N faces, B of a batch, K classes

import dataclasses
from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BadLabel, Diverged, InputError, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import sha256_bytes
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.curate.config import GradeConfig
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import load_grader, probabilities

_BATCH = 64
_ROUNDS, _TOLERANCE = 10_000, 1e-6  # of the class weights

Predictions = dict[str, NDArray[np.float64]]  # class probabilities, by face id


def grade(config: GradeConfig, faces: tuple[FaceSet, ...], classifier: Checkpoint, run: RunDir) -> FaceSet:
    """Label every face whose most probable class has at least `min_confidence`; reject the others.

    Labels that the faces had are replaced; with `match_labels` the classes are about as frequent as those
    labels were. A class is filled from the sets in their order, and from each set at random.
    Raises TooFewImages if a class of the classifier gets fewer than `min_per_class` faces, InputError if two
    sets have a face with the same id, BadLabel or Diverged if labels cannot be matched, BrokenArtefact if
    `classifier` is none, ConfigError if it predicts lesion types.
    """
    _refuse_shared_ids(faces)
    network = load_grader(classifier, launch.device())
    predictions = _predict(network, faces, run)
    if config.match_labels:
        predictions = _matched(predictions, faces, network.classes, run)
    kept, rejected = FaceSetWriter(run.folder / "faces"), FaceSetWriter(run.folder / "rejected")
    counts = Counter(face.label for face in kept.rows)
    done = kept.done | rejected.done
    for each in faces:
        left = _shuffled(each.where(ids={face.id for face in each} - done))
        for face in run.progress(left, "copying faces"):
            face = _graded(config, network.classes, counts, face, predictions[face.id])
            if face.reason is None:
                counts[face.label] += 1
            (rejected if face.reason else kept).add_from(each, face)
    aside = rejected.finish()
    graded = kept.finish()
    _need_enough(graded, aside, network.classes, config, run)
    return graded


def _predict(network: Classifier, faces: tuple[FaceSet, ...], run: RunDir) -> Predictions:
    """The class probabilities of every face; remembered batch by batch."""
    found = Predictions()
    with run.bar("grading", sum(map(len, faces))) as bar:
        for number, each in enumerate(faces):
            for index, batch in enumerate(each.batches(_BATCH)):
                key = f"probabilities {number} {index}"
                probabilities_BK = run.remember(key, partial(_probabilities, network, batch))
                found |= {face.id: row_K for face, row_K in zip(batch, probabilities_BK, strict=True)}
                bar.advance(len(batch))
    return found


def _probabilities(network: Classifier, batch: FaceSet) -> NDArray[np.float64]:
    return probabilities(network, batch.pixels(network.size)).astype(np.float64)


def _matched(
    predictions: Predictions, faces: tuple[FaceSet, ...], classes: Sequence[str], run: RunDir
) -> Predictions:
    """Probabilities, reweighted so that the classes are as frequent as the labels of the faces."""
    rows = [face for each in faces for face in each]
    unknown = [face.id for face in rows if face.label not in classes]
    if unknown:
        raise BadLabel(
            f"{len(unknown)} faces have no label that the classifier knows, for example {unknown[0]}.",
            "Grade without --match-labels.",
        )
    probabilities_NK = np.array([predictions[face.id] for face in rows])
    shares_K = np.array([np.mean([face.label == label for face in rows]) for label in classes])
    weights_K = class_weights(probabilities_NK, shares_K)
    shown = ", ".join(f"{label} {weight:.2f}" for label, weight in zip(classes, weights_K, strict=True))
    run.log(f"class probabilities are multiplied by: {shown}")
    return {face.id: row_K for face, row_K in zip(rows, reweighted(probabilities_NK, weights_K), strict=True)}


def class_weights(
    probabilities_NK: NDArray[np.float64], shares_K: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A factor for each class, such that the mean probabilities equal the given shares.

    probabilities_NK: rows that sum to 1; shares_K: sums to 1; a class with share 0 gets the factor 0.
    Raises Diverged if there are no such factors. Source: Sinkhorn & Knopp 1967 (rows scaled to 1, columns to
    their share), used as in Saerens et al. 2002, with known shares.
    """
    weights_K = np.ones(len(shares_K))
    for _ in range(_ROUNDS):
        means_K = reweighted(probabilities_NK, weights_K).mean(axis=0)
        if np.abs(means_K - shares_K).max() < _TOLERANCE:
            return weights_K
        weights_K *= np.divide(shares_K, means_K, out=np.zeros_like(shares_K), where=means_K > 0)
        weights_K /= weights_K.sum()
    raise Diverged(
        "No class weights give the frequencies of the labels.",
        "The classifier assigns some label almost no probability: grade without --match-labels.",
    )


def reweighted(probabilities_NK: NDArray[np.float64], weights_K: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probabilities times the factors, rows summing to 1 again."""
    scaled_NK = probabilities_NK * weights_K
    return scaled_NK / scaled_NK.sum(axis=1, keepdims=True)


def _refuse_shared_ids(faces: tuple[FaceSet, ...]) -> None:
    counts = Counter(face.id for each in faces for face in each)
    twice = sorted(id for id, count in counts.items() if count > 1)
    if twice:
        raise InputError(
            f"{len(twice)} ids are in more than one set, for example {twice[0]}.",
            "Generate each set from its own seeds.",
        )


def _shuffled(faces: FaceSet) -> FaceSet:
    """In an order that is independent of how the faces were made, and the same in every run."""
    return FaceSet(faces.folder, tuple(sorted(faces, key=lambda face: sha256_bytes(face.id.encode()))))


def _graded(
    config: GradeConfig,
    classes: Sequence[str],
    counts: Counter[str | None],
    face: Face,
    probabilities_K: NDArray[np.float64],
) -> Face:
    """The face with its class, or with the reason why it is rejected; `counts`: faces kept of each class."""
    ranked = np.argsort(-probabilities_K, kind="stable")
    label, confidence = classes[ranked[0]], float(probabilities_K[ranked[0]])
    if confidence < config.min_confidence:
        likely = ", ".join(f"{classes[index]} {probabilities_K[index]:.2f}" for index in ranked[:2])
        return dataclasses.replace(face, confidence=confidence, reason=f"ambiguous: {likely}")
    most = config.max_per_class
    if most is not None and counts[label] >= most:
        return dataclasses.replace(face, label=label, confidence=confidence, reason="surplus")
    return dataclasses.replace(face, label=label, confidence=confidence, reason=None)


def _need_enough(
    graded: FaceSet, aside: FaceSet, classes: Sequence[str], config: GradeConfig, run: RunDir
) -> None:
    counts = Counter(face.label for face in graded)
    shown = ", ".join(f"{label} {counts[label]}" for label in classes)
    surplus = sum(face.reason == "surplus" for face in aside)
    run.log(f"{len(graded) + len(aside)} faces: {shown}; {len(aside) - surplus} ambiguous, {surplus} surplus")
    short = [label for label in classes if counts[label] < config.min_per_class]
    if short:
        raise TooFewImages(
            f"Fewer than min_per_class = {config.min_per_class} faces were graded {', '.join(short)} "
            f"({shown}; {len(aside)} rejected in {aside.folder}).",
            "Generate more faces, or lower --min-confidence or --min-per-class (with another --out).",
        )
