from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from anonderm.core.errors import MissingPath, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import read_image, resize
from anonderm.core.records import Face, Scores
from anonderm.core.rundir import RunDir
from anonderm.evaluate import realism
from anonderm.evaluate.c2st import onlooker
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


def run_stage(folder: Path, real: FaceSet, synthetic: FaceSet, config: RealismConfig = CONFIG) -> Scores:
    with RunDir.open(folder, "evaluate realism", config, {}) as run:
        return evaluate_realism(config, real, synthetic, run)


def test_both_sets_give_as_many_faces_of_each_class(real, synthetic):
    first, second = matched(real, synthetic, 1000, np.random.default_rng(0))
    assert first.label_counts == second.label_counts == {"mild": 30, "severe": 12}
    first, second = matched(real, synthetic, 21, np.random.default_rng(0))
    assert first.label_counts == second.label_counts == {"mild": 15, "severe": 6}
    unlabelled = FaceSet(real.folder, tuple(Face(id=face.id, file=face.file) for face in real))
    assert [len(faces) for faces in matched(unlabelled, synthetic, 1000, np.random.default_rng(0))] == [
        48,
        48,
    ]


def test_other_pictures_are_told_apart_and_the_floor_is_not(real, synthetic, tmp_path):
    result = run_stage(tmp_path / "run", real, synthetic)
    scores = result.scores
    for test in ("onlooker", "thumbnail"):
        assert {f"auc[{test}]/{part}" for part in ("all", "unseen", "floor")} <= scores.keys()
        assert scores[f"auc[{test}]/all"].higher_is_better is False
    assert scores["auc[onlooker]/all"].low > 0.5
    assert scores["auc[onlooker]/all"].value > scores["auc[onlooker]/floor"].value
    assert scores["auc[onlooker]/unseen"].n < scores["auc[onlooker]/all"].n == 84
    assert len(result.details["tests"]["onlooker"]["synthetic"]) == 42
    json.dumps(result.details, allow_nan=False)


def test_the_faces_shown_are_those_at_both_ends(real, synthetic, tmp_path):
    shown = run_stage(tmp_path / "run", real, synthetic).details["shown"]
    caught, passed = (
        [e for e in shown if (e["test"], e["kind"]) == ("thumbnail", k)] for k in ("caught", "passed")
    )
    assert min(e["probability"] for e in caught) >= max(e["probability"] for e in passed)
    assert all(read_image(tmp_path / "run" / entry["file"]).shape == (64, 64, 3) for entry in shown)


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
    detector = result.details["detector"]
    assert detector["synthetic"] == [0] * 9 + [42]
    assert sum(detector["real"]) == 42
    assert sum(detector["real"][5:]) == 0
    assert result.scores["manipulated[EfficientNetB4]/synthetic"].value == 1.0
    assert result.scores["manipulated[EfficientNetB4]/real"].value == 0.0
    assert result.scores["auc[EfficientNetB4]/all"].value == 1.0


def test_the_same_seed_gives_the_same_scores(real, synthetic, tmp_path):
    config = RealismConfig(extractors=("thumbnail",), folds=2, epochs=1, bootstrap_samples=100)
    one, two = (run_stage(tmp_path / name, real, synthetic, config) for name in ("one", "two"))
    assert one == two


def test_missing_detector_weights_and_too_few_people_are_said(real, synthetic, tmp_path):
    with pytest.raises(MissingPath, match=r"gone\.pth"):
        run_stage(tmp_path / "a", real, synthetic, RealismConfig(detector="gone.pth"))
    few = FaceSet(real.folder, real.faces[:4])
    with pytest.raises(TooFewImages, match="3 people"):
        run_stage(tmp_path / "b", few, synthetic)


def test_a_killed_run_goes_on_after_its_last_fold(real, synthetic, tmp_path, monkeypatch):
    config = RealismConfig(extractors=("thumbnail",), folds=3, epochs=1, bootstrap_samples=100)
    whole = run_stage(tmp_path / "whole", real, synthetic, config)
    taught = []

    def counted(*arguments):
        teach = onlooker(*arguments)

        def one_fold(learn, score):
            taught.append(len(score))
            if len(taught) == 3:
                raise KeyboardInterrupt
            return teach(learn, score)

        return one_fold

    monkeypatch.setattr(realism, "onlooker", counted)
    with pytest.raises(KeyboardInterrupt):
        run_stage(tmp_path / "killed", real, synthetic, config)
    assert len(list((tmp_path / "killed/folds").iterdir())) == 2
    assert run_stage(tmp_path / "killed", real, synthetic, config) == whole
    assert len(taught) == 3 + 1 + 3  # the fold that was cut short, and those of the floor
    assert not (tmp_path / "killed/folds").exists()
