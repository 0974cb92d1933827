"""One training of the data-mix study: a run of train-classifier, and its predictions on the test faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json, write_json
from anonderm.core.launch import device
from anonderm.core.rundir import RunRecord
from anonderm.evaluate.held_out import predict_all
from anonderm.experiments.subruns import SubRun
from anonderm.models.classifier.predict import load_grader

TRAININGS, _PREDICTIONS = "trainings", "predictions"


@dataclass(frozen=True)
class Training:
    """A classifier to train, and the named sets to test it on. `study` is the run folder of the study."""

    study: Path
    name: str
    label: str
    config: TrainClassifierConfig
    faces: FaceSet
    tests: Mapping[str, FaceSet]

    @property
    def folder(self) -> Path:
        return self.study / TRAININGS / self.name

    @property
    def predictions(self) -> Path:
        return self.study / _PREDICTIONS / f"{self.name}.json"

    @property
    def subrun(self) -> SubRun:
        """It can be sent to another process."""
        after = partial(_predict, self.predictions, dict(self.tests))
        return SubRun(self.folder, self.label, "train-classifier", self.config, {"faces": self.faces}, after)

    @property
    def predicted(self) -> dict[str, NDArray[np.intp]]:
        """The class index of each face of each test set. Raises MissingPath or BrokenArtefact."""
        found = read_json(self.predictions)
        return {name: np.array(found[name], np.intp) for name in self.tests}


def _predict(path: Path, tests: Mapping[str, FaceSet], record: RunRecord) -> None:
    """Write the predicted class of each face of each test set, unless that is done."""
    if path.exists():
        return
    classifier = load_grader(Checkpoint.load(record.folder / "checkpoint.safetensors"), device())
    predicted = {
        name: classifier.head_type.predict(predict_all(classifier, faces)).tolist()
        for name, faces in tests.items()
    }
    path.parent.mkdir(exist_ok=True)
    write_json(path, predicted)
