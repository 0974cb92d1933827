from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import BadLabel, BrokenArtefact, ConfigError, InputError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.curate import grade as module
from anonderm.curate.config import GradeConfig
from anonderm.curate.grade import grade

CLASSES = ("healthy", "mild", "severe")


@dataclass
class ReadsPixels:
    """A classifier whose probabilities are the channels of the first pixel, in percent."""

    size: int = 64
    classes: tuple[str, ...] = CLASSES


def painted(*percent: int) -> np.ndarray:
    return np.full((64, 64, 3), percent, np.uint8)


@pytest.fixture
def reads_pixels(monkeypatch):
    monkeypatch.setattr(module, "load_grader", lambda checkpoint, device: ReadsPixels())
    monkeypatch.setattr(module, "probabilities", lambda network, pixels_NHWC: pixels_NHWC[:, 0, 0] / 100)


def graded(*faces: FaceSet, out, **settings) -> tuple[FaceSet, FaceSet]:
    config = GradeConfig(**{"min_per_class": 0, **settings})
    with RunDir.open(out, "grade", config, {}) as run:
        kept = grade(config, faces, None, run)
        run.finish([])
    return kept, FaceSet.load(out / "rejected")


@pytest.mark.usefixtures("reads_pixels")
def test_each_face_gets_its_most_probable_class_and_the_confidence(make_faces, tmp_path):
    faces = make_faces("syn", [painted(80, 15, 5), painted(10, 30, 60)], label="old")
    kept, rejected = graded(faces, out=tmp_path / "run")
    assert [(face.label, face.confidence) for face in kept] == [("healthy", 0.8), ("severe", 0.6)]
    assert not len(rejected)


@pytest.mark.usefixtures("reads_pixels")
def test_ambiguous_faces_are_rejected_with_their_two_most_probable_classes(make_faces, tmp_path):
    faces = make_faces("syn", [painted(21, 41, 38), painted(90, 5, 5)])
    kept, rejected = graded(faces, out=tmp_path / "run", min_confidence=0.5)
    assert [face.id for face in kept] == ["syn-0001"]
    assert [(face.reason, face.confidence) for face in rejected] == [
        ("ambiguous: mild 0.41, severe 0.38", 0.41)
    ]


@pytest.mark.usefixtures("reads_pixels")
def test_a_class_with_too_few_faces_is_named_with_the_counts(make_faces, tmp_path):
    faces = make_faces("syn", [painted(90, 5, 5), painted(90, 5, 4), painted(5, 90, 5), painted(40, 30, 30)])
    with pytest.raises(TooFewImages) as caught:
        graded(faces, out=tmp_path / "run", min_per_class=1)
    assert "graded severe (healthy 2, mild 1, severe 0; 1 rejected" in caught.value.message
    assert "--min-confidence" in caught.value.hint


@pytest.mark.usefixtures("reads_pixels")
def test_a_killed_run_resumes_to_the_same_faces(make_faces, tmp_path, monkeypatch):
    faces = make_faces("syn", [painted(index, 100 - index, 0) for index in range(0, 100, 5)])
    whole = graded(faces, out=tmp_path / "whole")
    monkeypatch.setattr(module, "_BATCH", 4)
    read, seen = module.probabilities, []

    def killed_in_the_third_batch(network, pixels_NHWC):
        seen.append(len(pixels_NHWC))
        if len(seen) == 3:
            raise KeyboardInterrupt
        return read(network, pixels_NHWC)

    monkeypatch.setattr(module, "probabilities", killed_in_the_third_batch)
    with pytest.raises(KeyboardInterrupt):
        graded(faces, out=tmp_path / "cut")
    resumed = graded(faces, out=tmp_path / "cut")
    assert sum(seen) == 4 * 3 + 12
    assert [part.faces for part in resumed] == [part.faces for part in whole]


@pytest.mark.usefixtures("reads_pixels")
def test_a_full_class_is_filled_from_the_first_set_and_the_rest_is_surplus(make_faces, tmp_path):
    first = make_faces("first", [painted(90, 5, 5)] * 2 + [painted(5, 90, 5)] * 3)
    second = make_faces("second", [painted(90, 5, 5)] * 4)
    kept, rejected = graded(first, second, out=tmp_path / "run", max_per_class=3)
    assert kept.label_counts == {"healthy": 3, "mild": 3}
    assert sum(face.id.startswith("second") for face in kept) == 1
    assert [face.reason for face in rejected] == ["surplus"] * 3
    assert {face.label for face in rejected} == {"healthy"}


@pytest.mark.usefixtures("reads_pixels")
def test_matching_labels_undoes_a_bias_of_the_classifier(make_faces, tmp_path):
    calm = make_faces("calm", [painted(80, 19, 1), painted(70, 28, 2)], label="healthy")
    ill = make_faces("ill", [painted(60, 38, 2), painted(50, 47, 3)], label="mild")
    plain, _ = graded(calm, ill, out=tmp_path / "plain")
    matched, _ = graded(calm, ill, out=tmp_path / "matched", match_labels=True, min_confidence=0.0)
    assert plain.label_counts == {"healthy": 4}
    assert matched.label_counts == {"healthy": 2, "mild": 2}


@pytest.mark.usefixtures("reads_pixels")
def test_labels_that_the_classifier_does_not_know_cannot_be_matched(make_faces, tmp_path):
    with pytest.raises(BadLabel, match="syn-0000"):
        graded(make_faces("syn", [painted(90, 5, 5)], label="old"), out=tmp_path / "run", match_labels=True)


@pytest.mark.usefixtures("reads_pixels")
def test_two_sets_with_faces_of_one_id_are_refused(make_faces, tmp_path):
    faces = make_faces("syn", [painted(90, 5, 5)])
    with pytest.raises(InputError, match="syn-0000"):
        graded(faces, faces, out=tmp_path / "run")


@pytest.mark.parametrize(
    "settings", [{"min_confidence": 1.5}, {"min_per_class": -1}, {"min_per_class": 9, "max_per_class": 8}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError):
        GradeConfig(**settings)


def test_a_trained_network_agrees_with_its_own_probabilities(make_faces, tmp_path):
    from anonderm.models.classifier.network import Classifier
    from anonderm.models.classifier.predict import load_classifier, probabilities

    torch.manual_seed(0)
    network = Classifier("resnet10t", CLASSES, 64)
    architecture = {"backbone": "resnet10t", "drop_strides": 0, "head": {"name": "softmax"}}
    card = CheckpointCard("classifier", architecture, 64, classes=CLASSES)
    checkpoint = Checkpoint.save(tmp_path / "c.safetensors", network.state_dict(), card)
    rng = np.random.default_rng(0)
    faces = make_faces("syn", list(rng.integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)))
    config = GradeConfig(min_confidence=0.0, min_per_class=0)
    with RunDir.open(tmp_path / "run", "grade", config, {}) as run:
        kept = grade(config, (faces,), checkpoint, run)
    expected = probabilities(load_classifier(checkpoint), faces.pixels())
    assert [face.label for face in kept] == [CLASSES[index] for index in expected.argmax(axis=1)]
    np.testing.assert_allclose([face.confidence for face in kept], expected.max(axis=1), rtol=1e-5)


def test_a_generator_is_no_classifier(make_faces, tmp_path):
    card = CheckpointCard("gan", {}, 64)
    checkpoint = Checkpoint.save(tmp_path / "g.safetensors", {"a": torch.zeros(1)}, card)
    config = GradeConfig()
    with (
        RunDir.open(tmp_path / "run", "grade", config, {}) as run,
        pytest.raises(BrokenArtefact, match="gan"),
    ):
        grade(config, (make_faces("syn", [painted(90, 5, 5)]),), checkpoint, run)
