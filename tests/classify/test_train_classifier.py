"""train-classifier: exact resume, no use of the test split, clear errors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from anonderm.classify import train_classifier as stage
from anonderm.classify.train_classifier import train_classifier
from anonderm.classify.trainer import Progress
from anonderm.core.errors import BadLabel, BrokenArtefact, ConfigError, Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json_lines
from anonderm.core.records import Lesion
from anonderm.core.snapshot import save_training
from anonderm.models.classifier.heads import Softmax
from anonderm.models.classifier.predict import (
    lesion_counts,
    load_classifier,
    load_grader,
    probabilities,
)

EASY = {"healthy": 0, "mild": 90}
SPLITS = {"train": 12, "val": 4, "test": 4}


class Killed(Exception): ...


def test_separable_classes_are_learned(make_faces, open_run, small_config):
    faces = make_faces("faces", EASY, SPLITS)
    config = dataclasses.replace(small_config, epochs=4)
    with open_run("run", config) as run:
        checkpoint = train_classifier(config, faces, run)
        rows = read_json_lines(run.folder / "metrics.jsonl")
    chances = probabilities(load_classifier(checkpoint), faces.where(split="test").pixels())
    truth = [faces.labels.index(face.label) for face in faces.where(split="test")]
    assert (chances.argmax(1) == truth).all()
    assert checkpoint.card.classes == ("healthy", "mild")
    assert checkpoint.card.notes["trained_on"] == "real"
    assert checkpoint.card.notes["n"] == 24
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert max(row["val_accuracy"] for row in rows) == checkpoint.card.notes["val_accuracy"]


@pytest.mark.parametrize(
    "settings",
    [
        {"zoom": 0.1, "translation": 0.1},
        {"backbone": "lesion-cnn", "drop_strides": 0, "optimiser": "rmsprop", "schedule": "cosine"},
        {"optimiser": "sgd", "head": "corn", "precision": "bfloat16", "monitor": "quadratic_kappa"},
        {"optimiser": "adam", "schedule": "constant", "freeze_backbone": True, "patience": 1},
    ],
    ids=["zoom", "lesion-cnn", "corn", "frozen"],
)
def test_a_killed_run_resumes_to_the_same_weights(make_faces, open_run, small_config, monkeypatch, settings):
    faces = make_faces("faces", EASY, SPLITS)
    config = dataclasses.replace(small_config, epochs=3, dropout=0.3, brightness=(0.7, 1.2), **settings)
    with open_run("whole", config) as run:
        whole = train_classifier(config, faces, run)
        rows = read_json_lines(run.folder / "metrics.jsonl")

    def save_and_die(folder, progress, *rest):
        save_training(folder, progress, *rest)
        if progress.epoch == 1:
            raise Killed

    monkeypatch.setattr(stage, "save_training", save_and_die)
    with pytest.raises(Killed), open_run("killed", config) as run:
        train_classifier(config, faces, run)
    with open_run("killed", config) as run:
        resumed = train_classifier(config, faces, run)
        assert read_json_lines(run.folder / "metrics.jsonl") == rows
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    assert resumed.card == whole.card


@pytest.mark.parametrize(
    ("monitor", "best"), [("accuracy", 3), ("loss", 4), ("quadratic_kappa", 1), ("macro_f1", 4)]
)
def test_the_best_epoch_is_kept_instead_of_the_last(monitor: str, best: int):
    import torch

    progress = Progress()
    for accuracy, loss, kappa, weight in (
        (0.5, 1.0, 0.9, 1),
        (0.7, 0.9, 0.8, 2),
        (0.7, 0.8, 0.8, 3),
        (0.6, 0.1, 0.2, 4),
    ):
        metrics = {"accuracy": accuracy, "loss": loss, "quadratic_kappa": kappa, "macro_f1": None}
        progress.after_epoch({"weight": torch.tensor(float(weight))}, metrics, monitor)
    assert progress.epoch == 4
    assert progress.best_epoch == progress.best_weights["weight"] == best


def test_the_test_split_is_never_read(make_faces, open_run, small_config):
    faces = make_faces("faces", EASY, SPLITS)
    for face in faces.where(split="test"):
        (faces.folder / face.file).unlink()
    with open_run("run", small_config) as run:
        train_classifier(small_config, faces, run)


def test_one_class_is_refused(make_faces, open_run, small_config):
    with pytest.raises(BadLabel, match="healthy"), open_run("run", small_config) as run:
        train_classifier(small_config, make_faces("faces", {"healthy": 0}, SPLITS), run)


def test_an_unlabelled_face_is_named(make_faces, open_run, small_config):
    faces = make_faces("faces", EASY, SPLITS)
    learned = faces.where(split="train").faces
    without = FaceSet(faces.folder, (*learned[1:], dataclasses.replace(learned[0], label=None)))
    with pytest.raises(BadLabel, match=learned[0].id), open_run("run", small_config) as run:
        train_classifier(small_config, without, run)


def test_a_loss_that_explodes_stops_the_run(make_faces, open_run, small_config):
    config = dataclasses.replace(small_config, learning_rate=1e6)
    with pytest.raises(Diverged, match="learning_rate"), open_run("run", config) as run:
        train_classifier(config, make_faces("faces", EASY, SPLITS), run)


def test_a_damaged_snapshot_is_named(make_faces, open_run, small_config):
    faces = make_faces("faces", EASY, SPLITS)
    with open_run("run", small_config) as run:
        (run.folder / "state.safetensors").write_bytes(b"torn")
        with pytest.raises(BrokenArtefact, match=r"state\.safetensors"):
            train_classifier(small_config, faces, run)


def test_faces_of_another_size_are_resized(make_faces, open_run, small_config):
    faces = make_faces("faces", EASY, SPLITS)
    with open_run("run", small_config) as run:
        classifier = load_classifier(train_classifier(small_config, faces, run))
    pixels = faces.pixels()
    doubled = pixels.repeat(2, axis=1).repeat(2, axis=2)
    assert np.abs(probabilities(classifier, doubled) - probabilities(classifier, pixels)).max() < 0.1
    assert probabilities(classifier, pixels[:0]).shape == (0, 2)


def test_a_prediction_does_not_depend_on_the_batch(make_faces, open_run, small_config):
    faces = make_faces("faces", EASY, SPLITS)
    with open_run("run", small_config) as run:
        classifier = load_classifier(train_classifier(small_config, faces, run))
    whole, single = (probabilities(classifier, faces.pixels(), batch) for batch in (64, 1))
    np.testing.assert_allclose(whole, single, atol=1e-5)
    np.testing.assert_allclose(whole.sum(1), 1, atol=1e-5)


def test_settings_out_of_range_are_refused(small_config):
    for wrong in ({"epochs": 0}, {"dropout": 1.0}, {"brightness": (1.2, 0.8)}, {"size": 8}, {"batch": 1}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            dataclasses.replace(small_config, **wrong)


def test_a_card_of_another_kind_is_refused(tmp_path: Path):
    import torch

    from anonderm.core.checkpoint import Checkpoint, CheckpointCard

    card = CheckpointCard("gan", {}, 64)
    gan = Checkpoint.save(tmp_path / "gan.safetensors", {"weight": torch.zeros(1)}, card)
    with pytest.raises(BrokenArtefact, match="of kind gan"):
        load_classifier(gan)


def test_a_frozen_backbone_keeps_its_weights_and_statistics(make_faces, open_run, small_config):
    faces = make_faces("faces", EASY, SPLITS)
    config = dataclasses.replace(small_config, freeze_backbone=True, optimiser="rmsprop", monitor="loss")
    with open_run("run", config) as run:
        learned = train_classifier(config, faces, run).tensors()
        untrained, _ = stage._new_classifier(config, faces.labels, Softmax(2), 32, run)
    for name, before in untrained.backbone.state_dict().items():
        np.testing.assert_array_equal(learned[f"backbone.{name}"], before)
    assert not np.array_equal(learned["head.weight"], untrained.head.weight.detach())


def test_training_stops_without_improvement(make_faces, open_run, small_config):
    faces = make_faces("faces", EASY, SPLITS)
    config = dataclasses.replace(small_config, epochs=9, patience=2, learning_rate=1e-12)
    with open_run("run", config) as run:
        checkpoint = train_classifier(config, faces, run)
        rows = read_json_lines(run.folder / "metrics.jsonl")
    assert len(rows) == checkpoint.card.notes["best_epoch"] + 2 < 9


@pytest.mark.parametrize("head", ["corn", "label-distribution"])
def test_heads_for_grades_learn_separable_grades(make_faces, open_run, small_config, head: str):
    counts = {"healthy": 0, "mild": 3, "moderate": 12}
    faces = with_lesions(make_faces("faces", {"healthy": 0, "mild": 60, "moderate": 120}, SPLITS), counts)
    config = dataclasses.replace(small_config, epochs=8, head=head, monitor="quadratic_kappa")
    with open_run("run", config) as run:
        checkpoint = train_classifier(config, faces, run)
        row = read_json_lines(run.folder / "metrics.jsonl")[-1]
    classifier = load_classifier(checkpoint)
    test = faces.where(split="test")
    chances = probabilities(classifier, test.pixels())
    truth = [faces.labels.index(face.label) for face in test]
    assert (classifier.head_type.predict(chances) == truth).mean() > 0.9
    np.testing.assert_allclose(chances.sum(1), 1, atol=1e-5)
    assert {"val_accuracy", "val_macro_f1", "val_macro_mae", "val_quadratic_kappa", "val_loss"} <= row.keys()
    if head == "label-distribution":
        found = lesion_counts(classifier, test.pixels())
        assert np.abs(found - [counts[face.label] for face in test]).mean() < 4


def test_lesion_types_are_learned_without_labels(make_faces, open_run, small_config):
    """Red faces show papules; a type that only val shows is not learned from."""
    faces = make_faces("faces", EASY, SPLITS)
    typed = FaceSet(
        faces.folder,
        tuple(
            dataclasses.replace(
                face, label=None, lesion_types=("papule",) if face.label == "mild" else ("cyst",)
            )
            for face in faces
        ),
    )
    config = dataclasses.replace(small_config, epochs=6, head="multi-label", monitor="macro_auc")
    with open_run("run", config) as run:
        checkpoint = train_classifier(config, typed, run)
    assert checkpoint.card.classes == ("papule", "cyst")
    chances = probabilities(load_classifier(checkpoint), typed.where(split="test").pixels())
    papules = ["papule" in face.lesion_types for face in typed.where(split="test")]
    assert ((chances[:, 0] > 0.5) == papules).all()
    assert checkpoint.card.notes["val_macro_auc"] == 1
    with pytest.raises(ConfigError, match="papule, cyst"):
        load_grader(checkpoint)


def test_lesions_cannot_be_learned_from_faces_without_lesions(make_faces, open_run, small_config):
    for head in ("multi-label", "label-distribution"):
        config = dataclasses.replace(small_config, head=head)
        with (
            pytest.raises(BadLabel, match="of 0 of 20 unhealthy faces are known"),
            open_run(head, config) as run,
        ):
            train_classifier(config, make_faces(head, EASY, SPLITS), run)


def test_the_card_names_the_initial_weights_of_the_backbone(make_faces, open_run, small_config, tmp_path):
    import timm
    from safetensors.torch import save_file

    file = tmp_path / "start.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), file)
    faces = make_faces("faces", EASY, SPLITS)
    origins = []
    for name, weights_file in (("random", None), ("file", file)):
        config = dataclasses.replace(small_config, weights_file=weights_file)
        with open_run(name, config) as run:
            card = train_classifier(config, faces, run).card
        origins.append(card.notes["weights"])
        assert str(tmp_path) not in card.command
    assert origins[0] == "random"
    assert origins[1].startswith("file sha256:")


def test_a_metric_that_is_undefined_on_val_cannot_be_monitored(make_faces, open_run, small_config):
    faces = make_faces("faces", EASY, SPLITS)
    lopsided = FaceSet(faces.folder, tuple(f for f in faces if (f.split, f.label) != ("val", "mild")))
    config = dataclasses.replace(small_config, monitor="macro_f1")
    with pytest.raises(ConfigError, match="not defined for mild"), open_run("run", config) as run:
        train_classifier(config, lopsided, run)


def with_lesions(faces: FaceSet, counts: dict[str, int]) -> FaceSet:
    lesion = Lesion("papule", 4, 4, 6, 6)
    return FaceSet(
        faces.folder, tuple(dataclasses.replace(f, lesions=(lesion,) * counts[f.label]) for f in faces)
    )
