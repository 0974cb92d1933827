"""One training of the data-mix study: a run folder with a classifier and what it says of the test faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.train import train_classifier
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json, write_json
from anonderm.core.launch import device
from anonderm.core.rundir import RunDir
from anonderm.evaluate.held_out import all_probabilities
from anonderm.experiments.subruns import SubRun
from anonderm.models.classifier.predict import load_grader

FOLDER = "trainings"
_ANSWERS = "answers.json"


@dataclass(frozen=True)
class Training:
    """A classifier to train in a folder, and the named sets to test it on; it travels to other processes."""

    folder: Path
    told: str
    config: TrainClassifierConfig
    learn: FaceSet
    tests: Mapping[str, FaceSet]

    @property
    def subrun(self) -> SubRun:
        return SubRun(self.folder, self.told, partial(_work, self))

    @property
    def decided(self) -> dict[str, NDArray[np.intp]]:
        """The class index of each face of each test set. Raises MissingPath or BrokenArtefact."""
        answers = read_json(self.folder / _ANSWERS)
        return {name: np.array(answers[name], np.intp) for name in self.tests}


def _work(training: Training) -> None:
    digests = {"faces": training.learn.digest} | {name: each.digest for name, each in training.tests.items()}
    with RunDir.open(training.folder, "train-classifier", training.config, digests) as run:
        if run.finished is not None:
            run.finished.verify()
            return
        made = train_classifier(training.config, training.learn, run)
        classifier = load_grader(made, device())
        answers = {
            name: classifier.head_type.predict(all_probabilities(classifier, faces, run)).tolist()
            for name, faces in training.tests.items()
        }
        write_json(run.folder / _ANSWERS, answers)
        run.finish([made.path, made.path.with_suffix(".json"), run.folder / _ANSWERS])
