"""The stages that score a detector and compare lesions, with a finder whose errors are known."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.classify.lesions.conftest import spotted

from anonderm.classify.lesions.config import DetectLesionsConfig
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import ConfigError, InputError, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import Pixels, read_image
from anonderm.core.records import Face
from anonderm.core.results.base import FILE
from anonderm.core.results.lesions import DetectorResult, LesionFidelityResult
from anonderm.core.rundir import RunRecord
from anonderm.evaluate.config import DetectorScoresConfig, LesionFidelityConfig
from anonderm.metrics.average_precision import Detection
from anonderm.models.lesion_detector.network import Architecture, build
from anonderm.models.lesion_detector.predict import Detector, load_detector
from anonderm.publish.config import ReportConfig
from anonderm.stages import STAGES, run_stage

KINDS = ("papule", "pustule")
PER_LABEL = {"healthy": 0, "mild": 3, "severe": 8}
SPLITS = ("train", "train", "test", "test")


def write_faces(folder: Path, seed: int, times: int = 1, synthetic: bool = False, side: int = 96) -> FaceSet:
    """Faces of one size, three labels, their lesions `times` as many; real ones have people and splits."""
    rng, writer = np.random.default_rng(seed), FaceSetWriter(folder)
    for label, count in PER_LABEL.items():
        for number in range(12):
            image, lesions = spotted(rng, side, times * count)
            face = Face(f"{label}-{number:02d}", label=label, lesions=lesions)
            if synthetic:
                face = dataclasses.replace(face, checkpoint="c" * 64, seed=number)
            else:
                face = dataclasses.replace(face, subject=face.id, split=SPLITS[number % 4])
            writer.add(image, face)
    return writer.finish()


@pytest.fixture
def detector(tmp_path: Path) -> Path:
    """A checkpoint with random weights; the tests put another way of finding in its place."""
    anchors = ((6.0, 10.0, 14.0), (18.0, 24.0, 30.0), (36.0, 40.0, 48.0))
    architecture = Architecture("small", 96, 128, anchors, 0.2, (0.5,) * 3, (0.2,) * 3)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build(architecture, KINDS)
    card = CheckpointCard(
        kind="detector",
        architecture=dataclasses.asdict(architecture),
        resolution=128,
        classes=KINDS,
        notes={"thresholds": dict.fromkeys(KINDS, 0.5)},
    )
    return Checkpoint.save(tmp_path / "detector.safetensors", network.state_dict(), card).path


@pytest.fixture
def knows(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`knows(faces, ..., misses="pustule")`: every detector finds what is true of these faces."""

    def know(*sets: FaceSet, misses: str = "") -> None:
        truth = {faces.image(face).tobytes(): face.lesions for faces in sets for face in faces}

        def find(self: Detector, image_HWC: Pixels) -> list[Detection]:
            lesions = truth[image_HWC.tobytes()]
            return [Detection(each, 0.3 if each.kind == misses else 0.9) for each in lesions]

        monkeypatch.setattr(Detector, "detect", find)

    return know


def detector_result(record: RunRecord) -> DetectorResult:
    return DetectorResult.load(record.folder / FILE)


def lesion_result(record: RunRecord) -> LesionFidelityResult:
    return LesionFidelityResult.load(record.folder / FILE)


def score_detector(real: FaceSet, detector: Path, out: Path) -> RunRecord:
    references = {"real": real.folder, "detector": detector}
    return run_stage(
        STAGES["evaluate detector"], DetectorScoresConfig(bootstrap_samples=100), references, out
    )


def compare(real: FaceSet, synthetic: FaceSet, detector: Path, out: Path) -> RunRecord:
    references = {"real": real.folder, "synthetic": synthetic.folder, "detector": detector}
    return run_stage(STAGES["evaluate lesions"], LesionFidelityConfig(shown=1), references, out)


def test_a_perfect_detector_has_perfect_scores(tmp_path: Path, detector: Path, knows) -> None:
    real = write_faces(tmp_path / "real", 0)
    knows(real)
    record = score_detector(real, detector, tmp_path / "run")
    result = detector_result(record)
    kinds = result.kinds
    for score in (result.map50, result.map50_95, kinds["papule"].ap50, kinds["pustule"].ap50):
        assert (score.value, score.low, score.high, score.n) == (1.0, 1.0, 1.0, 18)
    assert result.count.error.value == 0
    assert result.count.lesions.value == pytest.approx(11 / 3)
    assert all((record.folder / each.found).exists() for each in result.pictures)


def test_lesions_below_the_threshold_are_detected_but_not_counted(
    tmp_path: Path, detector: Path, knows
) -> None:
    real = write_faces(tmp_path / "real", 0)
    knows(real, misses="pustule")
    result = detector_result(score_detector(real, detector, tmp_path / "run"))
    pustules = result.kinds["pustule"]
    assert pustules.ap50.value == 1
    assert result.kinds["papule"].count.error.value == 0
    assert pustules.count.bias.value == -pustules.count.lesions.value
    assert result.count.error.value == pustules.count.lesions.value > 0


def test_a_kind_unknown_to_the_detector_is_warned_of(tmp_path: Path, detector: Path, knows) -> None:
    writer, plain = FaceSetWriter(tmp_path / "real"), write_faces(tmp_path / "plain", 0)
    for face in plain:
        scars = tuple(dataclasses.replace(each, kind="scar") for each in face.lesions[:1])
        writer.add(plain.image(face), dataclasses.replace(face, lesions=face.lesions + scars))
    real = writer.finish()
    knows(plain)
    result = detector_result(score_detector(real, detector, tmp_path / "run"))
    assert "scar" in result.warnings[0]
    assert result.map50.value == 1


def test_without_true_boxes_there_is_nothing_to_score(tmp_path: Path, detector: Path) -> None:
    writer = FaceSetWriter(tmp_path / "bare")
    writer.add(np.zeros((32, 32, 3), np.uint8), Face("a", label="mild", split="test"))
    with pytest.raises(InputError, match="no face of split test has lesion boxes"):
        score_detector(writer.finish(), detector, tmp_path / "run")


def test_twice_as_many_lesions_are_far_apart_and_equally_many_are_not(
    tmp_path: Path, detector: Path, knows
) -> None:
    real = write_faces(tmp_path / "real", 0)
    alike = write_faces(tmp_path / "alike", 1, synthetic=True)
    doubled = write_faces(tmp_path / "doubled", 2, times=2, synthetic=True)
    knows(real, alike, doubled)
    same = lesion_result(compare(real, alike, detector, tmp_path / "same")).parts
    more = lesion_result(compare(real, doubled, detector, tmp_path / "more")).parts
    severe = same["severe"]["all"]
    assert severe.synthetic.count.value == severe.baseline.count.value == 0
    assert more["severe"]["all"].synthetic.count.value == 8
    assert more["mild"]["all"].synthetic.count.value == 3
    papules = (parts["severe"]["papule"].synthetic.count.value for parts in (more, same))
    assert next(papules) > next(papules)
    assert more["all"]["all"].synthetic.count.note.endswith("18 faces against 18 real test faces")
    assert severe.synthetic.size.value < 1.0
    assert same["healthy"]["all"].synthetic.size is None


def test_the_errors_of_the_detector_itself_are_measured(tmp_path: Path, detector: Path, knows) -> None:
    real, alike = write_faces(tmp_path / "real", 0), write_faces(tmp_path / "alike", 1, synthetic=True)
    knows(real, alike, misses="pustule")
    parts = lesion_result(compare(real, alike, detector, tmp_path / "run")).parts
    assert parts["all"]["papule"].detector_error.count.value == 0
    assert parts["all"]["pustule"].detector_error.count.value > 0
    assert parts["all"]["pustule"].synthetic.count.value == 0, "detected on neither side"
    severe = parts["severe"]["all"]
    assert severe.test.count < severe.test_boxes.count == 8


def test_faces_of_another_size_are_warned_of(tmp_path: Path, detector: Path, knows) -> None:
    real, small = write_faces(tmp_path / "r", 0), write_faces(tmp_path / "s", 1, synthetic=True, side=48)
    knows(real, small)
    result = lesion_result(compare(real, small, detector, tmp_path / "run"))
    assert "48 px wide, the real ones 96" in result.warnings[0]


def test_sets_that_cannot_be_compared_are_refused(tmp_path: Path, detector: Path) -> None:
    real = write_faces(tmp_path / "real", 0)
    empty = FaceSetWriter(tmp_path / "empty").finish()
    with pytest.raises(TooFewImages, match="empty"):
        compare(real, empty, detector, tmp_path / "a")
    with pytest.raises(InputError, match="test split"):
        compare(write_faces(tmp_path / "s", 1, synthetic=True), real, detector, tmp_path / "b")


def test_detected_boxes_are_stored_with_the_faces(tmp_path: Path, detector: Path, knows) -> None:
    faces = write_faces(tmp_path / "faces", 1, synthetic=True)
    knows(faces, misses="pustule")
    bare = FaceSetWriter(tmp_path / "bare")
    for face in faces:
        bare.add_from(faces, dataclasses.replace(face, lesions=()))
    references = {"faces": bare.finish().folder, "detector": detector}
    record = run_stage(STAGES["detect-lesions"], DetectLesionsConfig(), references, tmp_path / "run")
    found = FaceSet.load(record.folder / "faces")
    for face, before in zip(found, faces, strict=True):
        assert face.lesions == tuple(each for each in before.lesions if each.kind == "papule")
        assert face.lesion_types == (("papule",) if face.lesions else ())
        assert np.array_equal(read_image(found.folder / face.file), faces.image(before))
    with pytest.raises(ConfigError, match="threshold"):
        DetectLesionsConfig(threshold=2)


def test_a_random_network_finds_boxes_inside_the_face_of_any_shape(detector: Path) -> None:
    finder = load_detector(Checkpoint.load(detector))
    image = np.random.default_rng(0).integers(0, 256, (70, 150, 3)).astype(np.uint8)
    found = finder.detect(image)
    assert found == finder.detect(image)
    assert all(0 <= f.lesion.x0 < f.lesion.x1 <= 150 and 0 <= f.lesion.y0 < f.lesion.y1 <= 70 for f in found)
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)


def test_the_report_shows_lesions_and_can_hide_real_faces(tmp_path: Path, detector: Path, knows) -> None:
    real, alike = write_faces(tmp_path / "real", 0), write_faces(tmp_path / "alike", 1, synthetic=True)
    knows(real, alike)
    runs = (
        score_detector(real, detector, tmp_path / "scores").folder,
        compare(real, alike, detector, tmp_path / "lesions").folder,
    )
    pages = []
    for show_real in (True, False):
        out = tmp_path / f"report-{show_real}"
        record = run_stage(STAGES["report"], ReportConfig(show_real=show_real), {"runs": runs}, out)
        pages.append((record.folder / "report.html").read_text(encoding="utf-8"))
    for page in pages:
        assert 'id="lesions"' in page
        assert "Lesions per face" in page
        assert "Lesions detected, synthetic" in page
        assert "Other scores" not in page
    assert "Lesions detected, real" in pages[0]
    assert "True and detected boxes" in pages[0]
    assert "Lesions detected, real" not in pages[1]
    assert "True and detected boxes" not in pages[1]
