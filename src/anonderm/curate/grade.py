"""grade: FaceSets -> FaceSet, each face labelled with the class that a classifier sees in it.

faces/     the faces whose class is clear, with label and confidence
rejected/  the doubtful, each with its two most probable classes as reason, and the surplus of full classes
"""

# B faces of a batch, K classes

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BadLabel, InputError, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import append_line, read_json_lines, sha256_bytes
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.curate.balance import class_weights, reweighted
from anonderm.curate.config import GradeConfig
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import load_grader, probabilities

_BATCH = 64
_READINGS = "readings.jsonl"

Readings = dict[str, NDArray[np.float64]]


def grade(config: GradeConfig, faces: tuple[FaceSet, ...], classifier: Checkpoint, run: RunDir) -> FaceSet:
    """Label every face whose most probable class has at least `min_confidence`; put the others aside.

    Any labels that the faces had are replaced; with `match_labels` the classes come out about as frequent as
    those were. A class is filled from the sets in their order, and from each set at random.
    Raises TooFewImages where a class that the classifier knows gets fewer than `min_per_class` faces,
    InputError where two sets have a face of one id, BadLabel or Diverged where labels cannot be matched,
    BrokenArtefact where `classifier` is none, ConfigError where it tells lesion types.
    """
    _refuse_namesakes(faces)
    network = load_grader(classifier, launch.device())
    readings = _read(network, faces, run)
    if config.match_labels:
        readings = _matched(readings, faces, network.classes, run)
    kept, rejected = FaceSetWriter(run.folder / "faces"), FaceSetWriter(run.folder / "rejected")
    sorter = _Sorter(config, network.classes, Counter(face.label for face in kept.rows))
    sorted_already = kept.done | rejected.done
    for each in faces:
        left = _shuffled(each.where(ids={face.id for face in each} - sorted_already))
        for face in run.progress(left, "sorting"):
            verdict = sorter.verdict(face, readings[face.id])
            (rejected if verdict.reason else kept).add_from(each, verdict)
    aside = rejected.finish()
    clear = kept.finish()
    (run.folder / _READINGS).unlink(missing_ok=True)  # there is none where there were no faces
    _need_enough(clear, aside, network.classes, config, run)
    return clear


def _read(network: Classifier, faces: tuple[FaceSet, ...], run: RunDir) -> Readings:
    """The classifier's probabilities of every face, by its id; noted on disk as they come."""
    journal = run.folder / _READINGS
    readings = {row["id"]: np.array(row["probabilities"]) for row in read_json_lines(journal)}
    with run.bar("grading", sum(map(len, faces)), done=len(readings)) as bar:
        for each in faces:
            for batch in each.where(ids={face.id for face in each} - readings.keys()).batches(_BATCH):
                probabilities_BK = probabilities(network, batch.pixels(network.size))
                for face, row_K in zip(batch, probabilities_BK, strict=True):
                    readings[face.id] = row_K.astype(np.float64)
                    append_line(journal, json.dumps({"id": face.id, "probabilities": row_K.tolist()}))
                bar.advance(len(batch))
    return readings


def _matched(readings: Readings, faces: tuple[FaceSet, ...], classes: Sequence[str], run: RunDir) -> Readings:
    """Probabilities of classes that are as frequent as the labels of the faces."""
    rows = [face for each in faces for face in each]
    foreign = [face.id for face in rows if face.label not in classes]
    if foreign:
        raise BadLabel(
            f"{len(foreign)} faces have no label that the classifier knows, {foreign[0]} among them.",
            "Grade without --match-labels.",
        )
    probabilities_NK = np.array([readings[face.id] for face in rows])
    shares_K = np.array([np.mean([face.label == label for face in rows]) for label in classes])
    weights_K = class_weights(probabilities_NK, shares_K)
    shown = ", ".join(f"{label} {weight:.2f}" for label, weight in zip(classes, weights_K, strict=True))
    run.log(f"probabilities are multiplied by: {shown}")
    return {face.id: row_K for face, row_K in zip(rows, reweighted(probabilities_NK, weights_K), strict=True)}


def _refuse_namesakes(faces: tuple[FaceSet, ...]) -> None:
    counts = Counter(face.id for each in faces for face in each)
    twice = sorted(id for id, count in counts.items() if count > 1)
    if twice:
        raise InputError(
            f"{len(twice)} faces are in two of the sets under one id, {twice[0]} among them.",
            "Generate each set from seeds of its own.",
        )


def _shuffled(faces: FaceSet) -> FaceSet:
    """In an order that has nothing to do with how the faces were made, and is the same in every run."""
    return FaceSet(faces.folder, tuple(sorted(faces, key=lambda face: sha256_bytes(face.id.encode()))))


@dataclass(frozen=True)
class _Sorter:
    """Decides face by face; `counts` says how full each class is."""

    config: GradeConfig
    classes: Sequence[str]
    counts: Counter[str | None]

    def verdict(self, face: Face, probabilities_K: NDArray[np.float64]) -> Face:
        """The face with its class, or with the reason why it is put aside."""
        ranked = np.argsort(-probabilities_K, kind="stable")
        label, confidence = self.classes[ranked[0]], float(probabilities_K[ranked[0]])
        if confidence < self.config.min_confidence:
            likely = ", ".join(f"{self.classes[index]} {probabilities_K[index]:.2f}" for index in ranked[:2])
            return dataclasses.replace(face, confidence=confidence, reason=f"doubtful: {likely}")
        most = self.config.max_per_class
        if most is not None and self.counts[label] >= most:
            return dataclasses.replace(face, label=label, confidence=confidence, reason="surplus")
        self.counts[label] += 1
        return dataclasses.replace(face, label=label, confidence=confidence, reason=None)


def _need_enough(
    clear: FaceSet, aside: FaceSet, classes: Sequence[str], config: GradeConfig, run: RunDir
) -> None:
    counts = Counter(face.label for face in clear)
    shown = ", ".join(f"{label} {counts[label]}" for label in classes)
    surplus = sum(face.reason == "surplus" for face in aside)
    run.log(f"{len(clear) + len(aside)} faces: {shown}; {len(aside) - surplus} doubtful, {surplus} surplus")
    short = [label for label in classes if counts[label] < config.min_per_class]
    if short:
        raise TooFewImages(
            f"Grading found fewer than min_per_class = {config.min_per_class} faces of {', '.join(short)} "
            f"({shown}; {len(aside)} put aside in {aside.folder}).",
            "Generate more faces, or lower --min-confidence or --min-per-class (with another --out).",
        )
