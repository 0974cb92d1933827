from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from anonderm.classify.lesions import train_detector as training
from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.classify.lesions.train_detector import train_detector
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import BrokenArtefact, ConfigError, Diverged, MissingPath, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import LESION_KINDS, Face
from anonderm.core.rundir import RunDir
from anonderm.metrics.average_precision import matches_by_kind, mean_average_precision
from anonderm.models.lesion_detector.predict import load_detector

SMALL = TrainDetectorConfig(size=128, lesion_size=16, steps=4, batch=2, val_interval=2)


@contextmanager
def run_at(folder: Path, config: TrainDetectorConfig) -> Iterator[RunDir]:
    with RunDir.open(folder, "train-detector", config, {}) as run:
        yield run


def train(folder: Path, config: TrainDetectorConfig, faces: FaceSet) -> Checkpoint:
    with run_at(folder, config) as run:
        return train_detector(config, faces, run)


def test_it_learns_to_detect_discs_and_their_kinds(make_spotted, tmp_path: Path) -> None:
    """mAP50 of the untrained network is below 0.01 here."""
    config = dataclasses.replace(SMALL, steps=40, val_interval=40, learning_rate=3e-3)
    faces = make_spotted("faces", {"train": 12, "val": 3, "test": 5})
    checkpoint = train(tmp_path / "run", config, faces)
    detector, test = load_detector(checkpoint), faces.where(split="test")
    found = [detector.detect(test.image(face)) for face in test]
    matches = matches_by_kind(found, [face.lesions for face in test], detector.kinds)
    assert mean_average_precision(matches)[0] > 0.2
    assert checkpoint.card.notes["val_map50"] > 0.2
    assert all(0 <= each.lesion.x0 < each.lesion.x1 <= 96 for of_face in found for each in of_face)
    *counts, of_healthy = (len(detector.above_threshold(of_face)) for of_face in found)
    assert of_healthy < min(counts)


def test_a_killed_run_resumes_to_the_same_weights(
    make_spotted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = make_spotted("faces", {"train": 5, "val": 2})
    whole = train(tmp_path / "whole", SMALL, faces)
    step = training.Trainer.step

    def stops(self: training.Trainer, number: int) -> float:
        if number == 3:
            raise KeyboardInterrupt
        return step(self, number)

    monkeypatch.setattr(training.Trainer, "step", stops)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "cut", SMALL, faces)
    monkeypatch.setattr(training.Trainer, "step", step)
    resumed = train(tmp_path / "cut", SMALL, faces)
    assert resumed.digest == whole.digest
    assert resumed.card == whole.card
    assert not (tmp_path / "cut" / "state.safetensors").exists()


def test_the_test_split_is_never_opened(make_spotted, tmp_path: Path) -> None:
    faces = make_spotted("faces", {"train": 4, "val": 2, "test": 2})
    for face in faces.where(split="test"):
        (faces.folder / face.file).unlink()
    assert train(tmp_path / "run", dataclasses.replace(SMALL, steps=1), faces).card.notes["n"] == 4


def test_a_class_agnostic_detector_and_a_set_without_val_rows(make_spotted, tmp_path: Path) -> None:
    faces = make_spotted("faces", {None: 8})
    checkpoint = train(tmp_path / "run", dataclasses.replace(SMALL, steps=1, class_agnostic=True), faces)
    assert checkpoint.card.classes == ("lesion",)
    assert (checkpoint.card.notes["n"], checkpoint.card.notes["n_held_out"]) == (7, 1)


def test_faces_whose_lesions_have_no_boxes_are_left_out(make_spotted, tmp_path: Path) -> None:
    faces = make_spotted("faces", {"train": 5, "val": 2})
    unboxed = Face("more", file="images/gone.png", split="train", lesion_types=("papule",))
    checkpoint = train(
        tmp_path / "run",
        dataclasses.replace(SMALL, steps=1),
        FaceSet(faces.folder, (*faces.faces, unboxed)),
    )
    assert checkpoint.card.notes["n"] == 5


def test_a_set_without_boxes_is_refused(make_spotted, tmp_path: Path) -> None:
    faces = make_spotted("faces", {"train": 3, "val": 2})
    bare = FaceSet(faces.folder, tuple(dataclasses.replace(face, lesions=()) for face in faces))
    with pytest.raises(TooFewImages, match="no face with lesion boxes"):
        train(tmp_path / "run", SMALL, bare)


def test_a_diverging_loss_stops_the_run(make_spotted, tmp_path: Path) -> None:
    faces = make_spotted("faces", {"train": 3, "val": 2})
    with pytest.raises(Diverged, match="step"):
        train(tmp_path / "run", dataclasses.replace(SMALL, learning_rate=1e6), faces)


def test_weights_of_torchvision_are_loaded(make_spotted, tmp_path: Path) -> None:
    from torchvision.models import resnet18
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

    faces = make_spotted("faces", {"train": 3, "val": 2})
    published = resnet18(weights=None).state_dict()
    torch.save(published, tmp_path / "resnet18.pth")
    config = dataclasses.replace(
        SMALL, network="resnet18", weights_file=tmp_path / "resnet18.pth", learning_rate=1e-12, steps=1
    )
    checkpoint = train(tmp_path / "run", config, faces)
    assert "--weights-file resnet18.pth" in checkpoint.card.command, "no folder, which can name people"
    tensors = checkpoint.tensors()
    name = "layer2.0.conv1.weight"
    assert torch.allclose(tensors[f"backbone.body.{name}"], published[name], atol=1e-6)
    assert torch.equal(tensors["backbone.body.bn1.running_mean"], published["bn1.running_mean"])
    coco = FasterRCNN(resnet_fpn_backbone(backbone_name="resnet18", weights=None), 91).state_dict()
    torch.save(coco, tmp_path / "coco.pth")
    network = training.build(_architecture("resnet18"), ("papule",))
    taken = training.load_torchvision_weights(network, tmp_path / "coco.pth")
    own = network.state_dict()
    assert all(torch.equal(own[name], coco[name]) for name in own if "fpn.inner_blocks" in name)
    assert torch.equal(own["roi_heads.box_head.fc6.weight"], coco["roi_heads.box_head.fc6.weight"])
    left = {name for name in own if name not in coco or own[name].shape != coco[name].shape}
    assert taken == len(own) - len(left)
    assert all("box_predictor" in name or "num_batches" in name or "bbox_pred" in name for name in left)
    with pytest.raises(BrokenArtefact, match="not the weights of this network"):
        training.load_torchvision_weights(
            training.build(_architecture("small"), ("papule",)), tmp_path / "resnet18.pth"
        )
    with pytest.raises(MissingPath, match="nowhere"):
        training.load_torchvision_weights(network, tmp_path / "nowhere.pth")
    (tmp_path / "bad.pth").write_bytes(b"no weights")
    with pytest.raises(BrokenArtefact, match="bad"):
        training.load_torchvision_weights(network, tmp_path / "bad.pth")


def _architecture(network: str) -> training.Architecture:
    anchors = ((6.0, 10.0, 14.0), (18.0, 24.0, 30.0), (36.0, 40.0, 48.0))
    return training.Architecture(network, 160, 320, anchors, 0.2, (0.5,) * 3, (0.2,) * 3)


def test_checkpoints_of_other_kinds_are_refused(tmp_path: Path) -> None:
    card = CheckpointCard(kind="classifier", architecture={}, resolution=64)
    with pytest.raises(BrokenArtefact, match="of kind classifier"):
        load_detector(Checkpoint.save(tmp_path / "c.safetensors", {"x": torch.zeros(1)}, card))
    card = CheckpointCard(kind="detector", architecture={}, resolution=64, classes=LESION_KINDS)
    with pytest.raises(BrokenArtefact, match="do not fit"):
        load_detector(Checkpoint.save(tmp_path / "d.safetensors", {"x": torch.zeros(1)}, card))


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of 32"):
        TrainDetectorConfig(size=300)
    with pytest.raises(ConfigError, match="network = small"):
        TrainDetectorConfig(weights_file=Path("x.pth"))
