"""grade: FaceSet -> FaceSet, each face labelled with the class that a classifier sees in it.

faces/     the faces whose class is clear, with label and confidence
rejected/  the doubtful, each with its two most probable classes as reason
"""

# B faces of a batch, K classes

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anonderm.classify.predict import load_classifier, probabilities
from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.curate.config import GradeConfig

_BATCH = 64


def grade(config: GradeConfig, faces: FaceSet, classifier: Checkpoint, run: RunDir) -> FaceSet:
    """Label every face whose most probable class has at least `min_confidence`; put the others aside.

    Any labels that the faces had are replaced. Raises TooFewImages where a class that the classifier knows
    gets fewer than `min_per_class` faces, BrokenArtefact where `classifier` is none.
    """
    network = load_classifier(classifier, launch.device())
    kept, rejected = FaceSetWriter(run.folder / "faces"), FaceSetWriter(run.folder / "rejected")
    graded = kept.done | rejected.done
    with run.bar("grading", len(faces), done=len(graded)) as bar:
        for batch in faces.where(ids={face.id for face in faces} - graded).batches(_BATCH):
            probabilities_BK = probabilities(network, batch.pixels(network.size))
            for face, row_K in zip(batch, probabilities_BK, strict=True):
                verdict = _verdict(face, row_K, network.classes, config.min_confidence)
                (rejected if verdict.reason else kept).add_from(faces, verdict)
            bar.advance(len(batch))
    doubtful = rejected.finish()
    clear = kept.finish()
    _need_enough(clear, doubtful, network.classes, config, run)
    return clear


def _verdict(
    face: Face, probabilities_K: NDArray[np.float32], classes: Sequence[str], min_confidence: float
) -> Face:
    """The face with its class, or with the reason why it is doubtful."""
    ranked = np.argsort(-probabilities_K, kind="stable")
    confidence = float(probabilities_K[ranked[0]])
    if confidence >= min_confidence:
        return dataclasses.replace(face, label=classes[ranked[0]], confidence=confidence, reason=None)
    likely = ", ".join(f"{classes[index]} {probabilities_K[index]:.2f}" for index in ranked[:2])
    return dataclasses.replace(face, confidence=confidence, reason=f"doubtful: {likely}")


def _need_enough(
    clear: FaceSet, doubtful: FaceSet, classes: Sequence[str], config: GradeConfig, run: RunDir
) -> None:
    counts = Counter(face.label for face in clear)
    shown = ", ".join(f"{label} {counts[label]}" for label in classes)
    run.log(f"{len(clear) + len(doubtful)} faces: {shown}; {len(doubtful)} doubtful")
    short = [label for label in classes if counts[label] < config.min_per_class]
    if short:
        raise TooFewImages(
            f"Grading found fewer than min_per_class = {config.min_per_class} faces of {', '.join(short)} "
            f"({shown}; {len(doubtful)} doubtful in {doubtful.folder}).",
            "Generate more faces, or lower --min-confidence or --min-per-class (with another --out).",
        )
