"""grade: FaceSets -> FaceSet, each face labelled with the class that a classifier sees in it.

faces/     the faces whose class is clear, with label and confidence
rejected/  the doubtful, each with its two most probable classes as reason, and the surplus of full classes
"""

# B faces of a batch, K classes

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.classify.predict import load_classifier, probabilities
from anonderm.core import launch
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import InputError, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import sha256_bytes
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.curate.config import GradeConfig

_BATCH = 64


def grade(config: GradeConfig, faces: tuple[FaceSet, ...], classifier: Checkpoint, run: RunDir) -> FaceSet:
    """Label every face whose most probable class has at least `min_confidence`; put the others aside.

    Any labels that the faces had are replaced. A class is filled from the sets in their order, and from each
    set at random. Raises TooFewImages where a class that the classifier knows gets fewer than `min_per_class`
    faces, InputError where two sets have a face of one id, BrokenArtefact where `classifier` is none.
    """
    _refuse_namesakes(faces)
    network = load_classifier(classifier, launch.device())
    kept, rejected = FaceSetWriter(run.folder / "faces"), FaceSetWriter(run.folder / "rejected")
    sorter = _Sorter(config, network.classes, Counter(face.label for face in kept.rows))
    graded = kept.done | rejected.done
    with run.bar("grading", sum(map(len, faces)), done=len(graded)) as bar:
        for each in faces:
            for batch in _shuffled(each.where(ids={face.id for face in each} - graded)).batches(_BATCH):
                probabilities_BK = probabilities(network, batch.pixels(network.size))
                for face, row_K in zip(batch, probabilities_BK, strict=True):
                    verdict = sorter.verdict(face, row_K)
                    (rejected if verdict.reason else kept).add_from(each, verdict)
                bar.advance(len(batch))
    aside = rejected.finish()
    clear = kept.finish()
    _need_enough(clear, aside, network.classes, config, run)
    return clear


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

    def verdict(self, face: Face, probabilities_K: NDArray[np.float32]) -> Face:
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
