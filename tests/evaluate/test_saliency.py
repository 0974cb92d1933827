"""A classifier that responds to red only, on faces whose lesions are red, or are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import BadLabel, ConfigError, InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image
from anonderm.core.records import Face, Lesion
from anonderm.core.results.classifier import SaliencyResult
from anonderm.core.rundir import RunDir
from anonderm.evaluate import saliency as module
from anonderm.evaluate.config import SaliencyConfig
from anonderm.evaluate.saliency import evaluate_saliency
from anonderm.models.classifier.heads import Head, MultiLabel, Softmax

CLASSES = ("healthy", "mild")
CONFIG = SaliencyConfig(bootstrap_samples=100, sheet_faces=2)
CARD = CheckpointCard("classifier", {"backbone": "red"}, 64, classes=CLASSES, notes={"weights": "random"})
RED_DETECTOR = Checkpoint(Path("red.safetensors"), CARD)


@pytest.fixture
def red_detector(monkeypatch, red_classifier):
    """`red_detector(head)`: the last class's output grows with the red in each place, and nothing else."""

    def install(head: Head, classes: tuple[str, ...] = CLASSES) -> None:
        classifier = red_classifier(classes, head)
        monkeypatch.setattr(module, "load_classifier", lambda _checkpoint, _device: classifier)

    install(Softmax(2))
    return install


def faces_with_red(folder: Path, *, on_lesion: bool, **fields) -> FaceSet:
    """Black faces of 128 px with a red square; the lesion's box lies on it, or elsewhere."""
    writer = FaceSetWriter(folder)
    mask = np.zeros((128, 128), np.uint8)
    mask[16:112, 16:112] = 255
    for number in range(4):
        left, top = 24 + 16 * number, 40
        image = np.zeros((128, 128, 3), np.uint8)
        image[top : top + 16, left : left + 16, 0] = 255
        below = 0 if on_lesion else 48
        box = Lesion("papule", left - 4, top - 4 + below, left + 20, top + 20 + below)
        face = Face(f"face-{number}", label="mild", subject=f"s{number // 2}", split="test", lesions=(box,))
        writer.add(image, dataclasses.replace(face, **fields), mask)
    return writer.finish()


def evaluated(folder: Path, faces: FaceSet, config: SaliencyConfig = CONFIG) -> SaliencyResult:
    with RunDir.open(folder, "evaluate saliency", config, {}) as run:
        return evaluate_saliency(config, faces, RED_DETECTOR, run)


@pytest.mark.parametrize("explain", ["class", "severity"])
def test_heat_on_the_lesions_differs_from_heat_elsewhere(tmp_path: Path, red_detector, explain: str):
    config = dataclasses.replace(CONFIG, explain=explain)
    right = evaluated(tmp_path / "a", faces_with_red(tmp_path / "on", on_lesion=True), config).groups
    wrong = evaluated(tmp_path / "b", faces_with_red(tmp_path / "off", on_lesion=False), config).groups
    assert right["all"].pointing.value.value == right["mild"].pointing.value.value == 1
    assert right["all"].in_lesions.value.value > 0.7
    assert wrong["all"].pointing.value.value == 0
    assert wrong["all"].in_lesions.value.value < 0.1
    assert right["all"].in_skin.value.value == pytest.approx(wrong["all"].in_skin.value.value)
    assert "healthy" not in right


def test_every_measure_has_baselines_and_intervals(tmp_path: Path, red_detector):
    result = evaluated(tmp_path / "run", faces_with_red(tmp_path / "faces", on_lesion=True))
    whole = result.groups["all"]
    assert whole.in_lesions.baseline.value == pytest.approx(24 * 24 / 128**2)
    assert whole.in_lesions.skin_baseline.value == pytest.approx(24 * 24 / 96**2, rel=0.15)
    assert whole.in_skin.baseline.value == pytest.approx((96 / 128) ** 2)
    assert whole.in_skin.skin_baseline is None
    assert whole.pointing.baseline.value > whole.in_lesions.baseline.value
    above = whole.in_lesions.value.value - whole.in_lesions.baseline.value
    assert whole.in_lesions.above_baseline.value == pytest.approx(above)
    for score in result.scores().values():
        assert score.low is not None
        assert score.high is not None
        assert score.low <= score.value + 1e-9
        assert score.value <= score.high + 1e-9
        assert score.n == 4


def test_each_lesion_type_is_measured_for_its_own_boxes(tmp_path: Path, red_detector):
    red_detector(MultiLabel(2), ("comedone", "papule"))
    faces = faces_with_red(tmp_path / "faces", on_lesion=True, label=None)
    comedone = Lesion("comedone", 0, 100, 20, 120)
    both = FaceSet(faces.folder, tuple(dataclasses.replace(f, lesions=(*f.lesions, comedone)) for f in faces))
    groups = evaluated(tmp_path / "run", both).groups
    assert groups["papule"].pointing.value.value == 1
    assert groups["comedone"].pointing.value.value == 0
    assert groups["all"].pointing.value.n == 8
    with pytest.raises(ConfigError, match="severity"):
        evaluated(tmp_path / "other", both, dataclasses.replace(CONFIG, explain="severity"))


def test_the_sheet_shows_faces_beside_their_maps(tmp_path: Path, red_detector):
    evaluated(tmp_path / "run", faces_with_red(tmp_path / "faces", on_lesion=True))
    sheet = read_image(tmp_path / "run" / "saliency.png")
    assert sheet.shape == (192, 4 * 192 + 2, 3)
    assert (sheet[:, 192:384] == 255).all(2).any()  # the box


def test_an_interrupted_run_resumes(tmp_path: Path, red_detector, monkeypatch):
    faces = faces_with_red(tmp_path / "faces", on_lesion=True)
    whole = evaluated(tmp_path / "whole", faces)
    measured = []
    plain = module._measure

    def stop_at_third(config, faces, target, heat_HW):
        measured.append(target.key)
        if len(measured) == 3:
            raise KeyboardInterrupt
        return plain(config, faces, target, heat_HW)

    monkeypatch.setattr(module, "_measure", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        evaluated(tmp_path / "run", faces)
    assert evaluated(tmp_path / "run", faces) == whole
    assert len(measured) == 5


def test_maps_without_heat_are_counted_as_misses(tmp_path: Path, red_detector):
    writer = FaceSetWriter(tmp_path / "black")
    box = Lesion("papule", 10, 10, 20, 20)
    writer.add(np.zeros((64, 64, 3), np.uint8), Face("black", label="mild", split="test", lesions=(box,)))
    result = evaluated(tmp_path / "run", writer.finish())
    assert result.maps_without_heat == 1
    assert result.groups["all"].pointing.value.value == result.groups["all"].in_lesions.value.value == 0


def test_faces_whose_truth_is_unknown_are_refused(tmp_path: Path, red_detector):
    faces = faces_with_red(tmp_path / "faces", on_lesion=True)
    bare = FaceSet(faces.folder, tuple(dataclasses.replace(f, lesions=(), mask=None) for f in faces))
    with pytest.raises(InputError, match="lesion boxes or a skin mask"):
        evaluated(tmp_path / "bare", bare)
    foreign = FaceSet(faces.folder, tuple(dataclasses.replace(f, label="rosacea") for f in faces))
    with pytest.raises(BadLabel, match="rosacea"):
        evaluated(tmp_path / "foreign", foreign)
    learned = FaceSet(faces.folder, tuple(dataclasses.replace(f, split="train") for f in faces))
    with pytest.raises(InputError, match="test split"):
        evaluated(tmp_path / "learned", learned)
