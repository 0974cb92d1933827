"""Scores of a classifier's answers, against scikit-learn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn_metrics

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import BadLabel, InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face, Lesion
from anonderm.core.results.base import Score
from anonderm.core.results.classifier import ClassifierResult
from anonderm.core.rundir import RunDir
from anonderm.evaluate.classifier import evaluate_classifier
from anonderm.evaluate.config import ClassifierScoresConfig
from anonderm.models.classifier.heads import Corn, Head, LabelDistribution, MultiLabel
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import load_classifier, probabilities

GRADES = ("healthy", "mild", "moderate")
TYPES = ("comedone", "papule")
CONFIG = ClassifierScoresConfig(bootstrap_samples=100)


@pytest.fixture
def faces(tmp_path: Path) -> FaceSet:
    rng = np.random.default_rng(3)
    writer = FaceSetWriter(tmp_path / "faces")
    for number in range(30):
        grade = number % 3
        image = rng.integers(0, 255, (32, 32, 3), np.uint8)
        boxes = tuple(Lesion(TYPES[i % 2], 0, 0, 2, 2) for i in range(0 if grade == 0 else number % 5 + 1))
        split = "train" if number < 6 else "test"
        writer.add(image, Face(f"f{number:02d}", label=GRADES[grade], split=split, subject=f"s{number // 3}",
                               lesions=boxes))  # fmt: skip
    return writer.finish()


def checkpoint(folder: Path, head: Head, classes: tuple[str, ...]) -> Checkpoint:
    torch.manual_seed(0)
    network = Classifier("test_resnet", classes, 32, 1, head_type=head)
    architecture = {"backbone": "test_resnet", "drop_strides": 1, "head": head.describe()}
    notes = {"weights": "random", "trained_on": "real"}
    card = CheckpointCard("classifier", architecture, 32, classes=classes, notes=notes)
    return Checkpoint.save(folder / "c.safetensors", network.state_dict(), card)


def evaluated(folder: Path, faces: FaceSet, given: Checkpoint) -> ClassifierResult:
    with RunDir.open(folder / "run", "evaluate classifier", CONFIG, {}) as run:
        return evaluate_classifier(CONFIG, faces, given, run)


def test_grades_are_scored_on_the_test_split_as_scikit_learn_does(tmp_path: Path, faces: FaceSet):
    given = checkpoint(tmp_path, Corn(3), GRADES)
    found = evaluated(tmp_path, faces, given)
    test = faces.where(split="test")
    truth = np.array([GRADES.index(str(face.label)) for face in test])
    network = load_classifier(given)
    guess = network.head_type.predict(probabilities(network, test.pixels()))
    scores = found.classification
    assert scores.accuracy.value == pytest.approx(sklearn_metrics.accuracy_score(truth, guess))
    f1 = sklearn_metrics.f1_score(truth, guess, average="macro", zero_division=0)
    assert scores.macro_f1.value == pytest.approx(f1, abs=1e-9)
    kappa = sklearn_metrics.cohen_kappa_score(truth, guess, weights="quadratic", labels=range(3))
    assert scores.quadratic_kappa.value == pytest.approx(kappa, abs=1e-9)
    assert scores.macro_mae.value == pytest.approx(
        np.mean([np.abs(guess[truth == k] - k).mean() for k in range(3)])
    )
    assert scores.accuracy.n == 24
    assert found.weights == "random"
    assert np.sum(found.confusion.counts) == 24


def test_lesion_types_are_scored_individually_and_on_average(tmp_path: Path, faces: FaceSet):
    given = checkpoint(tmp_path, MultiLabel(2), TYPES)
    found = evaluated(tmp_path, faces, given)
    test = faces.where(split="test")
    truth = np.array([[kind in {box.kind for box in face.lesions} for kind in TYPES] for face in test])
    chances = probabilities(load_classifier(given), test.pixels())
    scores = found.multi_label
    for k, kind in enumerate(TYPES):
        assert scores.types[kind].auc.value == pytest.approx(
            sklearn_metrics.roc_auc_score(truth[:, k], chances[:, k])
        )
        f1 = sklearn_metrics.f1_score(truth[:, k], chances[:, k] > 0.5, zero_division=0)
        assert scores.types[kind].f1.value == pytest.approx(f1)
        assert scores.types[kind].accuracy.value == pytest.approx(
            (truth[:, k] == (chances[:, k] > 0.5)).mean()
        )
    types = scores.types.values()
    assert scores.macro_auc.value == pytest.approx(np.mean([each.auc.value for each in types]))
    assert scores.macro_f1.value == pytest.approx(np.mean([each.f1.value for each in types]))
    assert scores.macro_accuracy.value == pytest.approx(np.mean([each.accuracy.value for each in types]))
    assert found.confusion is None


def test_counts_are_scored_where_boxes_are_known(tmp_path: Path, faces: FaceSet):
    given = checkpoint(tmp_path, LabelDistribution((0, 3), 65), GRADES)
    error = evaluated(tmp_path, faces, given).count_mae
    assert error.higher_is_better is False

    def scored(name: str, hidden: list[str]) -> Score | None:
        unknown = (
            dataclasses.replace(face, lesions=None, lesion_types=None) if face.id in hidden else face
            for face in faces
        )
        return evaluated(tmp_path / name, FaceSet(faces.folder, tuple(unknown)), given).count_mae

    test = [face.id for face in faces.where(split="test")]
    assert scored("all", []) == error
    assert scored("some", test[::2]).n == error.n - len(test[::2])
    assert scored("none", test) is None


def test_a_set_without_splits_is_scored_whole_and_one_without_test_faces_refused(
    tmp_path: Path, faces: FaceSet
):
    given = checkpoint(tmp_path, Corn(3), GRADES)
    synthetic = FaceSet(faces.folder, tuple(dataclasses.replace(face, split=None) for face in faces))
    assert evaluated(tmp_path / "all", synthetic, given).classification.accuracy.n == 30
    with pytest.raises(InputError, match="test split"):
        evaluated(tmp_path / "none", faces.where(split="train"), given)
    foreign = FaceSet(faces.folder, tuple(dataclasses.replace(face, label="severe") for face in faces))
    with pytest.raises(BadLabel, match="severe"):
        evaluated(tmp_path / "foreign", foreign, given)
