"""The utility scores, on a test split whose answer is known and against scikit-learn."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from anonderm.classify.config import TrainClassifierConfig
from anonderm.classify.train_classifier import train_classifier
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BadLabel, InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.results.classifier import UtilityResult
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import UtilityConfig
from anonderm.evaluate.utility import evaluate_utility
from anonderm.metrics import confusion

TRAINING = TrainClassifierConfig(
    backbone="test_resnet", drop_strides=1, epochs=4, batch=8, learning_rate=3e-3, brightness=(1.0, 1.0)
)
CONFIG = UtilityConfig(bootstrap_samples=100, saliency_faces=1)
REDNESS = {"healthy": 0, "mild": 90}


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=60), st.integers(0, 3))
def test_metrics_are_those_of_scikit_learn(pairs: list[tuple[int, int]], guess: int):
    pairs = pairs + [(label, guess) for label in range(4)]  # every class has a face
    truth, predicted = (np.array(column) for column in zip(*pairs, strict=True))
    matrix = confusion.confusion_matrix(truth, predicted, 4)
    precision, recall, f1, _ = sklearn_metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(4), average="macro", zero_division=0
    )
    np.testing.assert_array_equal(matrix, sklearn_metrics.confusion_matrix(truth, predicted, labels=range(4)))
    assert confusion.accuracy(matrix) == pytest.approx(sklearn_metrics.accuracy_score(truth, predicted))
    assert confusion.macro_precision(matrix) == pytest.approx(precision)
    assert confusion.macro_recall(matrix) == pytest.approx(recall)
    assert confusion.macro_f1(matrix) == pytest.approx(f1)
    kappa = sklearn_metrics.cohen_kappa_score(truth, predicted, weights="quadratic", labels=range(4))
    assert confusion.quadratic_kappa(matrix) == pytest.approx(kappa)
    by_class = [np.abs(predicted[truth == label] - label).mean() for label in range(4)]
    assert confusion.macro_mae(matrix) == pytest.approx(np.mean(by_class))


def test_a_class_without_faces_leaves_macro_metrics_undefined():
    matrix = np.array([[3, 1], [0, 0]])
    for metric in (
        confusion.macro_precision,
        confusion.macro_recall,
        confusion.macro_f1,
        confusion.macro_mae,
    ):
        assert np.isnan(metric(matrix))
    assert confusion.accuracy(matrix) == 0.75


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("utility")


def write_faces(folder: Path, redness: dict[str, int], splits: dict[str | None, int]) -> FaceSet:
    """Grey faces, redder with severity; two faces a person. A set without splits counts as synthetic."""
    rng = np.random.default_rng(0)
    writer = FaceSetWriter(folder)
    for label, red in redness.items():
        for split, count in splits.items():
            for number in range(count):
                image = rng.integers(60, 100, (32, 32, 3), np.uint8)
                image[8:24, 8:24, 0] += np.uint8(red)
                face = Face(f"{label}-{split}-{number}", label=label, split=split)
                if split is None:
                    face = dataclasses.replace(face, checkpoint="gan", seed=number)
                else:
                    face = dataclasses.replace(face, subject=f"{label}-{split}-{number // 2}")
                writer.add(image, face)
    return writer.finish()


def train(folder: Path, faces: FaceSet) -> Checkpoint:
    with RunDir.open(folder, "train-classifier", TRAINING, {}) as run:
        return train_classifier(TRAINING, faces, run)


@pytest.fixture(scope="module")
def real(folder: Path) -> FaceSet:
    return write_faces(folder / "real", REDNESS, {"train": 12, "val": 4, "test": 8})


@pytest.fixture(scope="module")
def trained_on_real(folder: Path, real: FaceSet) -> Checkpoint:
    return train(folder / "trtr", real)


@pytest.fixture(scope="module")
def trained_on_inverted(folder: Path) -> Checkpoint:
    """A synthetic set whose labels are swapped: its classifier gets every real face wrong."""
    swapped = write_faces(folder / "synthetic", {"healthy": 90, "mild": 0}, {None: 20})
    return train(folder / "tstr", swapped)


@pytest.fixture(scope="module")
def evaluated(
    folder: Path, real: FaceSet, trained_on_real: Checkpoint, trained_on_inverted: Checkpoint
) -> UtilityResult:
    with RunDir.open(folder / "utility", "evaluate utility", CONFIG, {}) as run:
        return evaluate_utility(CONFIG, real, trained_on_real, trained_on_inverted, run)


def test_right_and_wrong_classifiers_get_the_scores_they_earn(evaluated: UtilityResult):
    trtr, tstr = evaluated.trtr.scores, evaluated.tstr.scores
    for arm, value in ((trtr, 1), (tstr, 0)):
        assert arm.accuracy.value == arm.macro_precision.value == arm.macro_recall.value == value
        assert arm.macro_f1.value == arm.f1["healthy"].value == arm.f1["mild"].value == value
    assert (trtr.macro_mae.value, tstr.macro_mae.value) == (0, 1)
    assert (trtr.quadratic_kappa.value, tstr.quadratic_kappa.value) == (1, -1)
    assert evaluated.tstr_over_trtr_accuracy.value == 0
    assert evaluated.trtr.confusion.counts == ((8, 0), (0, 8))
    assert evaluated.tstr.confusion.counts == ((0, 8), (8, 0))


def test_every_score_has_an_interval_and_counts_faces_and_people(evaluated: UtilityResult):
    for score in evaluated.scores().values():
        assert score.low <= score.value <= score.high
        assert score.n == 16
    assert evaluated.n_people == 8
    assert not evaluated.tstr.scores.macro_mae.higher_is_better


def test_a_classifier_no_better_than_the_majority_class_is_warned_of(evaluated: UtilityResult, folder: Path):
    assert evaluated.trtr.warnings == ()
    (warning,) = evaluated.tstr.warnings
    assert warning.startswith("accuracy 0.0%")
    assert warning in (folder / "utility" / "log.txt").read_text()


def test_swapped_classifiers_are_warned_of(
    folder: Path, real: FaceSet, trained_on_real: Checkpoint, trained_on_inverted: Checkpoint
):
    config = dataclasses.replace(CONFIG, saliency_faces=0)
    with RunDir.open(folder / "swapped", "evaluate utility", config, {}) as run:
        result = evaluate_utility(config, real, trained_on_inverted, trained_on_real, run)
    assert "checkpoint.safetensors was trained on synthetic faces." in result.trtr.warnings


def test_pictures_of_both_classifiers_are_written(evaluated: UtilityResult, folder: Path):
    shown = [(each.arm, each.label, each.predicted) for each in evaluated.explanations]
    assert shown == [
        ("trtr", "healthy", "healthy"),
        ("trtr", "mild", "mild"),
        ("tstr", "healthy", "mild"),
        ("tstr", "mild", "healthy"),
    ]
    for each in evaluated.explanations:
        assert each.probability > 0.5
        assert (folder / "utility" / each.image).exists()
        assert (folder / "utility" / each.overlay).exists()


def test_other_classes_are_refused_by_name(folder: Path, trained_on_real: Checkpoint):
    others = write_faces(folder / "others", {"healthy": 0, "severe": 90}, {"test": 2})
    with (
        RunDir.open(folder / "refused", "evaluate utility", CONFIG, {}) as run,
        pytest.raises(BadLabel, match=r"healthy, mild; .* healthy, severe"),
    ):
        evaluate_utility(CONFIG, others, trained_on_real, trained_on_real, run)


def test_no_test_faces_is_refused(folder: Path, real: FaceSet, trained_on_real: Checkpoint):
    with (
        RunDir.open(folder / "empty", "evaluate utility", CONFIG, {}) as run,
        pytest.raises(InputError, match="test split"),
    ):
        evaluate_utility(CONFIG, real.where(split="train"), trained_on_real, trained_on_real, run)
