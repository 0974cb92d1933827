from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anonderm.core.errors import MissingPath, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image, resize
from anonderm.core.records import Face
from anonderm.core.results.fidelity import CNN, RealismResult
from anonderm.core.rundir import RunDir
from anonderm.evaluate import realism
from anonderm.evaluate.c2st import on_pixels
from anonderm.evaluate.config import RealismConfig
from anonderm.evaluate.realism import evaluate_realism, matched

CONFIG = RealismConfig(extractors=("thumbnail",), folds=3, epochs=3, bootstrap_samples=100)


def write_faces(folder: Path, counts: dict[tuple[str | None, str | None], int], grain: int) -> FaceSet:
    """Smooth random pictures, two a person; a coarser grain for another set."""
    rng, writer = np.random.default_rng(grain), FaceSetWriter(folder)
    for (label, split), count in counts.items():
        for number in range(count):
            image = resize(rng.integers(0, 256, (grain, grain, 3), dtype=np.uint8), 64)
            person = f"{label}-{split}-{number // 2}" if split else None
            writer.add(
                image, Face(id=f"{label}-{split}-{number:03d}", label=label, split=split, subject=person)
            )
    return writer.finish()


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> FaceSet:
    counts = {("mild", "train"): 24, ("severe", "train"): 12, ("mild", "test"): 12}
    return write_faces(tmp_path_factory.mktemp("real") / "faces", counts, 5)


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> FaceSet:
    counts = {("mild", None): 30, ("severe", None): 20, ("healthy", None): 9}
    return write_faces(tmp_path_factory.mktemp("synthetic") / "faces", counts, 8)


def run_stage(
    folder: Path, real: FaceSet, synthetic: FaceSet, config: RealismConfig = CONFIG
) -> RealismResult:
    with RunDir.open(folder, "evaluate realism", config, {}) as run:
        return evaluate_realism(config, real, synthetic, run)


def test_both_sets_contribute_equally_many_faces_of_each_class(real, synthetic):
    first, second = matched(real, synthetic, 1000, np.random.default_rng(0))
    assert first.label_counts == second.label_counts == {"mild": 30, "severe": 12}
    first, second = matched(real, synthetic, 21, np.random.default_rng(0))
    assert first.label_counts == second.label_counts == {"mild": 15, "severe": 6}
    unlabelled = FaceSet(real.folder, tuple(Face(id=face.id, file=face.file) for face in real))
    assert [len(faces) for faces in matched(unlabelled, synthetic, 1000, np.random.default_rng(0))] == [
        48,
        48,
    ]


def test_different_sets_are_separated_and_halves_of_one_are_not(real, synthetic, tmp_path):
    tests = run_stage(tmp_path / "run", real, synthetic).tests
    assert list(tests) == [CNN, "thumbnail"]
    for test in tests.values():
        assert test.auc.higher_is_better is False
        assert test.auc_non_members is not None
        assert test.auc_baseline is not None
    assert tests[CNN].auc.low > 0.5
    assert tests[CNN].auc.value > tests[CNN].auc_baseline.value
    assert tests[CNN].auc_non_members.n < tests[CNN].auc.n == 84
    assert len(tests[CNN].real) == len(tests[CNN].synthetic) == 42


def test_the_examples_are_those_at_both_ends(real, synthetic, tmp_path):
    test = run_stage(tmp_path / "run", real, synthetic).tests["thumbnail"]
    most, least = test.most_detected, test.least_detected
    assert min(each.probability for each in most) >= max(each.probability for each in least)
    assert all(read_image(tmp_path / "run" / each.file).shape == (64, 64, 3) for each in (*most, *least))


def test_a_detector_fills_ten_bins_of_each_side(real, synthetic, tmp_path, monkeypatch):
    """The network itself is tested elsewhere: this one calls the synthetic set manipulated."""
    judged = {real.folder: np.linspace(0, 0.4, 42), synthetic.folder: np.full(42, 1.0)}
    monkeypatch.setattr(realism, "load_detector", lambda path: (None, "EfficientNetB4"))
    monkeypatch.setattr(realism, "manipulation_scores", lambda _, faces: judged[faces.folder])
    (tmp_path / "weights.pth").touch()
    config = RealismConfig(
        str(tmp_path / "weights.pth"), ("thumbnail",), folds=3, epochs=1, bootstrap_samples=100
    )
    result = run_stage(tmp_path / "run", real, synthetic, config)
    detector = result.detector
    assert detector.synthetic_counts == (0,) * 9 + (42,)
    assert sum(detector.real_counts) == 42
    assert sum(detector.real_counts[5:]) == 0
    assert detector.synthetic.value == 1.0
    assert detector.real.value == 0.0
    assert detector.auc.value == 1.0


def test_the_same_seed_gives_the_same_scores(real, synthetic, tmp_path):
    config = RealismConfig(extractors=("thumbnail",), folds=2, epochs=1, bootstrap_samples=100)
    one, two = (run_stage(tmp_path / name, real, synthetic, config) for name in ("one", "two"))
    assert one == two


def test_missing_detector_weights_and_too_few_people_are_errors(real, synthetic, tmp_path):
    with pytest.raises(MissingPath, match=r"gone\.pth"):
        run_stage(tmp_path / "a", real, synthetic, RealismConfig(detector="gone.pth"))
    few = FaceSet(real.folder, real.faces[:4])
    with pytest.raises(TooFewImages, match="3 people"):
        run_stage(tmp_path / "b", few, synthetic)


def test_a_killed_run_resumes_after_its_last_fold(real, synthetic, tmp_path, monkeypatch):
    config = RealismConfig(extractors=("thumbnail",), folds=3, epochs=1, bootstrap_samples=100)
    whole = run_stage(tmp_path / "whole", real, synthetic, config)
    taught = []

    def counted(*arguments):
        teach = on_pixels(*arguments)

        def one_fold(learn, score):
            taught.append(len(score))
            if len(taught) == 3:
                raise KeyboardInterrupt
            return teach(learn, score)

        return one_fold

    monkeypatch.setattr(realism, "on_pixels", counted)
    with pytest.raises(KeyboardInterrupt):
        run_stage(tmp_path / "killed", real, synthetic, config)
    assert len((tmp_path / "killed/remembered.jsonl").read_text().splitlines()) == 2
    assert run_stage(tmp_path / "killed", real, synthetic, config) == whole
    assert len(taught) == 3 + 1 + 3  # the fold that was interrupted, and those of the baseline
