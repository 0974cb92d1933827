"""The stage train-gan: what it leaves behind, what it refuses, and that a kill changes nothing."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from tests.gan.conftest import QUICK, make_faces, same, train

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BadLabel, BrokenArtefact, ConfigError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json_lines
from anonderm.core.rundir import RunDir
from anonderm.gan.batch_split import BatchShare
from anonderm.gan.train import train_gan
from anonderm.gan.training_images import load_images, training_faces
from anonderm.models.stylegan2.checkpoint import load_generator


def test_a_run_writes_weights_a_card_metrics_and_samples(faces: FaceSet, tmp_path: Path) -> None:
    train(QUICK, faces, tmp_path / "run")
    card = Checkpoint.load(tmp_path / "run/checkpoint.safetensors").card
    assert (card.kind, card.resolution, card.label, card.licence) == ("gan", 32, None, "CC0-1.0")
    assert card.data_digest == faces.digest
    rows = read_json_lines(tmp_path / "run/metrics.jsonl")
    assert [row["step"] for row in rows] == [0.012, 0.024, 0.036, 0.04]
    named = {"loss_d", "loss_g", "ada_p", "ada_sign", "seconds_per_kimg", "kernel_distance"}
    assert all(named <= row.keys() for row in rows)
    assert {"r1", "path_length"} <= rows[0].keys()
    sheets = sorted(path.name for path in (tmp_path / "run/samples").iterdir())
    assert sheets[0] == "kimg-000000.012.png"
    assert len(sheets) == 4
    assert list((tmp_path / "run/tensorboard").iterdir())
    assert not (tmp_path / "run/state.safetensors").exists()


def test_a_killed_run_resumes_to_the_same_weights(faces: FaceSet, tmp_path: Path) -> None:
    """SIGKILL some time after the first snapshot, then the same again, against a run that nobody stopped."""
    killed = tmp_path / "killed"
    program = (
        "import sys; from pathlib import Path\n"
        "from anonderm.core.faceset import FaceSet\n"
        "from conftest import QUICK, train\n"
        "train(QUICK, FaceSet.load(Path(sys.argv[1])), Path(sys.argv[2]))\n"
    )
    root = Path(__file__).parents[2]
    environment = os.environ | {
        "OMP_NUM_THREADS": str(torch.get_num_threads()),
        "PYTHONPATH": os.pathsep.join([str(root / "tests/gan"), str(root / "src")]),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(faces.folder), str(killed)], env=environment
    )
    while process.poll() is None and not (killed / "state.safetensors").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"

    resumed = train(QUICK, faces, killed)
    straight = train(QUICK, faces, tmp_path / "straight")
    assert same(resumed, straight)
    for sheet in (tmp_path / "straight/samples").iterdir():
        assert (killed / "samples" / sheet.name).read_bytes() == sheet.read_bytes()
    steps = [row["step"] for row in read_json_lines(killed / "metrics.jsonl")]
    assert steps == [0.012, 0.024, 0.036, 0.04]


def test_another_seed_gives_other_weights(faces: FaceSet, tmp_path: Path) -> None:
    short = dataclasses.replace(QUICK, kimg=0.008, metric_faces=0)
    first = train(short, faces, tmp_path / "a")
    assert same(first, train(short, faces, tmp_path / "b"))
    assert not same(first, train(dataclasses.replace(short, seed=1), faces, tmp_path / "c"))


def test_training_starts_from_the_base(faces: FaceSet, tmp_path: Path) -> None:
    """With a vanishing learning rate the result is the base."""
    train(QUICK, faces, tmp_path / "base")
    base = Checkpoint.load(tmp_path / "base/checkpoint.safetensors")
    still = dataclasses.replace(QUICK, learning_rate=1e-12, path_length_weight=0.0, seed=5)
    after = train(still, faces, tmp_path / "transfer", base)
    for name, tensor in base.tensors().items():
        if not name.endswith("w_average"):
            assert torch.allclose(after[name], tensor, atol=1e-6), name
    log = (tmp_path / "transfer/log.txt").read_text()
    assert "tensors from checkpoint.safetensors" in log
    assert "fresh" not in log


def test_matching_weights_of_a_base_of_another_size_are_copied(faces: FaceSet, tmp_path: Path) -> None:
    small = make_faces(tmp_path / "small", size=16)
    train(dataclasses.replace(QUICK, preset="tiny"), small, tmp_path / "base")
    base = Checkpoint.load(tmp_path / "base/checkpoint.safetensors")
    still = dataclasses.replace(QUICK, learning_rate=1e-12, path_length_weight=0.0)
    after = train(still, faces, tmp_path / "transfer", base)
    before = base.tensors()
    assert torch.allclose(after["generator.first.constant"], before["generator.first.constant"], atol=1e-6)
    assert "fresh: blocks.2.grow.weight" in (tmp_path / "transfer/log.txt").read_text()


def test_a_conditional_gan_has_the_classes_of_its_labels(faces: FaceSet, tmp_path: Path) -> None:
    train(dataclasses.replace(QUICK, conditional=True), faces, tmp_path / "run")
    checkpoint = Checkpoint.load(tmp_path / "run/checkpoint.safetensors")
    assert checkpoint.card.classes == ("mild", "severe")
    assert load_generator(checkpoint).mapping.embed is not None


def test_a_gan_of_one_label_is_trained_only_on_its_faces(faces: FaceSet, tmp_path: Path) -> None:
    faces = make_faces(tmp_path / "many", count=20)
    train(dataclasses.replace(QUICK, label="severe", kimg=0.004), faces, tmp_path / "run")
    card = Checkpoint.load(tmp_path / "run/checkpoint.safetensors").card
    assert card.label == "severe"
    assert card.notes["faces"] == 10
    with pytest.raises(BadLabel, match="no face is labelled 'sever'"):
        training_faces(faces, "sever")


def test_faces_of_other_splits_are_never_read(tmp_path: Path) -> None:
    faces = make_faces(tmp_path / "faces")
    splits = ("test", "val", *["train"] * 10)
    marked = tuple(dataclasses.replace(f, split=s) for f, s in zip(faces, splits, strict=True))
    kept = training_faces(FaceSet(faces.folder, marked), None)
    assert [face.id for face in kept] == [face.id for face in faces.faces[2:]]
    with pytest.raises(TooFewImages, match="7 faces to train on"):
        training_faces(FaceSet(faces.folder, marked[:9]), None)


def test_faces_of_an_unsupported_size_are_refused(tmp_path: Path) -> None:
    faces = make_faces(tmp_path / "odd", size=48)
    with pytest.raises(ConfigError, match="power of two"):
        train(QUICK, faces, tmp_path / "run")


def test_each_batch_holds_different_images_in_range(faces: FaceSet) -> None:
    images = load_images(faces, (), "cpu")
    batch, label = images.batch(BatchShare.all(12), mirror=False, random=torch.Generator().manual_seed(0))
    assert label is None
    assert len({tuple(image.flatten().tolist()) for image in batch}) == 12
    assert -1 <= float(batch.min()) <= float(batch.max()) <= 1
    batch, _ = images.batch(BatchShare.all(30), mirror=True, random=torch.Generator().manual_seed(0))
    assert batch.shape[0] == 30


def test_a_damaged_snapshot_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with RunDir.open(tmp_path / "run", "train-gan", QUICK, {}) as run:
        (tmp_path / "run/state.safetensors").write_bytes(b"not a snapshot")
        with pytest.raises(BrokenArtefact, match="not a snapshot"):
            train_gan(QUICK, faces, None, run)


def test_r1_is_taken_through_the_augmentation(faces: FaceSet, tmp_path: Path) -> None:
    """A fixed p of 1 still trains: every phase differentiates through the augmentation."""
    row = dataclasses.replace(QUICK, augment_p=1.0, kimg=0.008)
    train(row, faces, tmp_path / "run")
    metrics = read_json_lines(tmp_path / "run/metrics.jsonl")
    assert metrics[0]["ada_p"] == 1.0
    assert metrics[0]["r1"] > 0
