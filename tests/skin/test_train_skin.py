"""What training promises: the same weights after a kill, no look at the test split, clear refusals."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from tests.skin.conftest import make_faces
from torchvision.models import resnet18

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BrokenArtefact, ConfigError, Diverged, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import read_json_lines
from anonderm.core.results.skin import SkinSegmentation
from anonderm.core.rundir import RunDir
from anonderm.models.skin_segmenter.segment import load_segmenter
from anonderm.skin import train_skin as stage
from anonderm.skin.config import TrainSkinConfig
from anonderm.skin.train_skin import learning_rate, train_skin

QUICK = TrainSkinConfig(size=64, crop=32, width=8, steps=6, warm_up=1, batch=4, val_interval=2)


def run_training(config: TrainSkinConfig, faces: FaceSet, folder: Path, base: Checkpoint | None = None):
    with RunDir.open(folder, "train-skin", config, {}) as run:
        return Checkpoint.load(train_skin(config, faces, run, base)[0])


def test_it_learns_an_easy_task_and_reports_its_accuracy(faces, tmp_path):
    config = dataclasses.replace(QUICK, crop=48, width=8, steps=60, warm_up=6, val_interval=30)
    checkpoint = run_training(config, faces, tmp_path / "run")
    result = SkinSegmentation.load(tmp_path / "run" / "results.json")
    assert result.dice["skin"].value > 0.85
    assert result.mean_dice.value == pytest.approx(
        (result.dice["skin"].value + result.dice["background"].value) / 2
    )
    assert result.mean_iou.value < result.mean_dice.value
    assert result.mean_dice.n == 3
    rows = read_json_lines(tmp_path / "run" / "metrics.jsonl")
    assert [row["step"] for row in rows] == [30, 60]
    assert max(row["val_dice"] for row in rows) == checkpoint.card.notes["val_dice"]
    assert checkpoint.card.kind == "skin"
    assert not (tmp_path / "run" / "state.safetensors").exists()


@pytest.mark.parametrize("augment", ["published", "strong"])
def test_a_killed_run_resumes_to_the_same_weights(faces, tmp_path, monkeypatch, augment):
    config = dataclasses.replace(QUICK, augment=augment)
    whole = run_training(config, faces, tmp_path / "whole")

    class Killed(Exception): ...

    def die_after(self, step):
        if step == 3:
            raise Killed
        return do_step(self, step)

    do_step = stage._Trainer.step
    monkeypatch.setattr(stage._Trainer, "step", die_after)
    with pytest.raises(Killed):
        run_training(config, faces, tmp_path / "killed")
    monkeypatch.setattr(stage._Trainer, "step", do_step)
    resumed = run_training(config, faces, tmp_path / "killed")
    assert resumed.path.read_bytes() == whole.path.read_bytes()
    assert resumed.card == whole.card
    assert read_json_lines(tmp_path / "killed" / "metrics.jsonl") == read_json_lines(
        tmp_path / "whole" / "metrics.jsonl"
    )


def test_ctrl_c_loses_no_step(faces, tmp_path, monkeypatch):
    import os
    import signal

    whole = run_training(QUICK, faces, tmp_path / "whole")
    done = []

    def interrupted_after(self, step):
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)
        done.append(step)
        return do_step(self, step)

    do_step = stage._Trainer.step
    monkeypatch.setattr(stage._Trainer, "step", interrupted_after)
    with pytest.raises(KeyboardInterrupt):
        run_training(QUICK, faces, tmp_path / "stopped")
    monkeypatch.setattr(stage._Trainer, "step", lambda self, step: done.append(step) or do_step(self, step))
    resumed = run_training(QUICK, faces, tmp_path / "stopped")
    assert done == list(range(QUICK.steps))
    assert resumed.path.read_bytes() == whole.path.read_bytes()


def test_the_test_split_is_not_used_before_the_end(faces, tmp_path, monkeypatch):
    splits = []
    load = stage.load_pair
    monkeypatch.setattr(stage, "load_pair", lambda *given: splits.append(given[1].split) or load(*given))
    run_training(QUICK, faces, tmp_path / "run")
    first = splits.index("test")
    assert splits[first:] == ["test"] * 3


def test_without_validation_faces_people_are_held_out(tmp_path):
    faces = make_faces(tmp_path / "faces", splits={None: 10})
    checkpoint = run_training(QUICK, faces, tmp_path / "run")
    result = SkinSegmentation.load(tmp_path / "run" / "results.json")
    assert checkpoint.card.notes["n"] == 8
    assert result.mean_dice.n == 2
    assert result.split == "val"


def test_faces_without_masks_are_left_out_and_counted(faces, tmp_path):
    rows = tuple(dataclasses.replace(face, mask=None) if face.id == "train-0" else face for face in faces)
    run_training(QUICK, FaceSet(faces.folder, rows), tmp_path / "run")
    assert "left out 1 faces without a skin mask" in (tmp_path / "run" / "log.txt").read_text()


def test_a_set_without_masks_is_refused(faces, tmp_path):
    bare = FaceSet(faces.folder, tuple(dataclasses.replace(face, mask=None) for face in faces))
    with pytest.raises(TooFewImages, match="0 of 12 faces have a skin mask"):
        run_training(QUICK, bare, tmp_path / "run")


def test_photos_that_are_no_squares_are_learned_from_undistorted(tmp_path):
    from tests.skin.conftest import disc, photo

    from anonderm.core.records import Face
    from anonderm.models.skin_segmenter.segment import load_pair

    mask = disc(40, 80, 0.4)
    writer = FaceSetWriter(tmp_path / "faces")
    writer.add(photo(mask, 0), Face("wide"), mask)
    faces = writer.finish()
    image, labels = load_pair(faces, faces.faces[0], 64)
    assert image.shape == (64, 64, 3)
    assert (labels[:16] == 255).all()
    assert (labels[-16:] == 255).all()
    skin = labels == 1
    assert skin.any(axis=0).sum() == pytest.approx(skin.any(axis=1).sum(), abs=1)


def test_training_starts_from_a_base_of_the_same_width(faces, tmp_path):
    base = run_training(QUICK, faces, tmp_path / "base")
    still = dataclasses.replace(QUICK, steps=2, warm_up=1, val_interval=1, learning_rate=1e-12)
    tuned = run_training(still, faces, tmp_path / "tuned", base)
    weights, before = tuned.tensors(), base.tensors()
    assert torch.allclose(weights["conv_out.conv_out.weight"], before["conv_out.conv_out.weight"], atol=1e-3)
    assert tuned.card.notes["base"] == base.digest
    with pytest.raises(BrokenArtefact, match="width = 16"):
        run_training(dataclasses.replace(QUICK, width=16), faces, tmp_path / "wide", base)


def test_the_backbone_starts_from_imagenet_s_weights(faces, tmp_path):
    torch.manual_seed(0)
    published = resnet18(weights=None)
    torch.save(published.state_dict(), tmp_path / "resnet18.pth")
    config = dataclasses.replace(
        QUICK, width=64, batch=2, steps=1, warm_up=0, learning_rate=1e-12, resnet=tmp_path / "resnet18.pth"
    )
    network = load_segmenter(run_training(config, faces, tmp_path / "run")).network
    expected = published.layer3[0].conv1.weight
    assert torch.allclose(network.cp.resnet.layer3[0].conv1.weight, expected, atol=1e-3)


def test_the_schedule_is_the_published_one():
    config = TrainSkinConfig()
    assert learning_rate(config, 0) == pytest.approx(1e-5)
    assert learning_rate(config, 500) == pytest.approx(1e-5 * 1000**0.5)
    assert learning_rate(config, 1000) == pytest.approx(1e-2)
    assert learning_rate(config, 40_500) == pytest.approx(1e-2 * 0.5**0.9)


def test_a_loss_that_explodes_stops_the_run(faces, tmp_path):
    with pytest.raises(Diverged, match="learning-rate"):
        run_training(dataclasses.replace(QUICK, learning_rate=1e6), faces, tmp_path / "run")


def test_a_classifier_s_checkpoint_is_refused(faces, tmp_path):
    checkpoint = run_training(QUICK, faces, tmp_path / "run")
    content = json.loads(checkpoint.path.with_suffix(".json").read_text()) | {"kind": "classifier"}
    checkpoint.path.with_suffix(".json").write_text(json.dumps(content))
    with pytest.raises(BrokenArtefact, match="kind classifier"):
        load_segmenter(Checkpoint.load(checkpoint.path))


def test_settings_that_cannot_be_are_refused():
    for wrong in ({"size": 32}, {"width": 10}, {"warm_up": 80_000}, {"batch": 1}, {"momentum": 1.0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            TrainSkinConfig(**wrong)
