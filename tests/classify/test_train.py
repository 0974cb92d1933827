"""What training promises: the same weights after a kill, no look at the test split, clear refusals."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from anonderm.classify import snapshot, train
from anonderm.classify.predict import features, load_classifier, probabilities
from anonderm.classify.train import train_classifier
from anonderm.core.errors import BadLabel, BrokenArtefact, ConfigError, Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json_lines

EASY = {"healthy": 0, "mild": 90}
SPLITS = {"train": 12, "val": 4, "test": 4}


class Killed(Exception): ...


def test_it_learns_what_can_be_learned_and_says_how(make_faces, open_run, small_config):
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


def test_a_killed_run_resumes_to_the_same_weights(make_faces, open_run, small_config, monkeypatch):
    faces = make_faces("faces", EASY, SPLITS)
    config = dataclasses.replace(small_config, epochs=3, dropout=0.3, brightness=(0.7, 1.2))
    with open_run("whole", config) as run:
        whole = train_classifier(config, faces, run)
        rows = read_json_lines(run.folder / "metrics.jsonl")

    def save_and_die(run, progress, *rest):
        snapshot_save(run, progress, *rest)
        if progress.epoch == 1:
            raise Killed

    snapshot_save = snapshot.save
    monkeypatch.setattr(train.snapshot, "save", save_and_die)
    with pytest.raises(Killed), open_run("killed", config) as run:
        train_classifier(config, faces, run)
    with open_run("killed", config) as run:
        resumed = train_classifier(config, faces, run)
        assert read_json_lines(run.folder / "metrics.jsonl") == rows
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    assert resumed.card == whole.card


def test_the_best_epoch_is_kept_not_the_last():
    import torch

    progress = snapshot.Progress()
    for accuracy, loss, weight in ((0.5, 1.0, 1.0), (0.7, 0.9, 2.0), (0.7, 0.8, 3.0), (0.6, 0.1, 4.0)):
        progress.after_epoch({"weight": torch.tensor(weight)}, accuracy, loss)
    assert progress.epoch == 4
    assert progress.best_epoch == 3
    assert progress.best_weights["weight"] == 3.0


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
    config = dataclasses.replace(small_config, learning_rate=1e30)
    with pytest.raises(Diverged, match="learning_rate"), open_run("run", config) as run:
        train_classifier(config, make_faces("faces", EASY, SPLITS), run)


def test_a_damaged_state_is_named(make_faces, open_run, small_config):
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
    assert len(features(classifier, pixels[:3])) == 3


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
