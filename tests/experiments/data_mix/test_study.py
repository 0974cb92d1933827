"""The data-mix study on faces whose answer is known, and resumed after a kill."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path

import pytest
from tests.experiments.data_mix.conftest import evaluate, real_faces, synthetic_faces

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.images import read_image
from anonderm.core.results.data_mix import ArmScores, DataMixResult
from anonderm.core.rundir import RunRecord
from anonderm.experiments.data_mix.study import Training

SHORT = {
    "ratios": (),
    "flip": False,
    "rotation": 0.0,
    "brightness": (1.0, 1.0),
}  # real, synthetic, equal size


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("matrix")


@pytest.fixture(scope="module")
def real(folder: Path) -> FaceSet:
    return real_faces(folder / "real")


@pytest.fixture(scope="module")
def alike(folder: Path) -> FaceSet:
    return synthetic_faces(folder / "alike")


@pytest.fixture(scope="module")
def evaluated(folder: Path, real: FaceSet, alike: FaceSet) -> DataMixResult:
    return evaluate(folder / "run", real, alike)


def by_name(result: DataMixResult) -> dict[str, ArmScores]:
    return {test.name: test for _, test, _ in result.tests}


def test_synthetic_faces_like_the_real_ones_train_as_well(evaluated: DataMixResult):
    found = by_name(evaluated)
    assert list(found) == ["trtr", "trts", "tstr", "tsts", "tstr-equal", "trtr-plain", "real+1x"]
    for test in found.values():
        assert test.scores.accuracy.value == 1
        assert test.scores.f1["mild"].value == 1
    assert evaluated.tstr.difference.scores.quadratic_kappa.value == 0
    assert evaluated.trtr.difference is None
    assert evaluated.tstr.by_tone["dark"].accuracy.n == 12
    assert "medium" not in evaluated.tstr.by_tone
    assert evaluated.tstr.confusion.counts == ((12, 0), (0, 12))


def test_swapped_labels_give_each_arm_the_score_it_earns(real: FaceSet, folder: Path):
    """Each classifier is right about its own kind of faces and wrong about every one of the other kind."""
    swapped = synthetic_faces(folder / "swapped", swapped=True)
    found = by_name(evaluate(folder / "of-swapped", real, swapped, **SHORT))
    accuracies = {name: test.scores.accuracy.value for name, test in found.items()}
    assert accuracies == {"trtr": 1, "trts": 0, "tstr": 0, "tsts": 1, "tstr-equal": 0}
    apart = found["tstr"].difference.scores.accuracy
    assert (apart.value, apart.low, apart.high) == (-1, -1, -1)
    assert found["trts"].difference.scores.macro_mae.value == 1
    assert not found["trts"].difference.scores.macro_mae.higher_is_better


def test_all_arms_take_equally_many_steps(evaluated: DataMixResult):
    assert {arm.steps for arm in evaluated.arms} == {(9,)}  # 3 epochs of 24 faces, 8 a step
    assert {arm.faces for arm in evaluated.arms} == {24, 38, 48}


def test_the_table_and_the_picture_have_every_arm(evaluated: DataMixResult, folder: Path):
    rows = list(csv.DictReader((folder / "run/data-mix.csv").open(newline="")))
    assert [row["arm"] for row in rows] == [
        "trtr",
        "trts",
        "tstr",
        "tsts",
        "tstr-equal",
        "trtr-plain",
        "real+1x",
    ]
    assert (rows[6]["real"], rows[6]["synthetic"], rows[6]["accuracy"]) == ("24", "24", "1.0")
    assert rows[2]["accuracy_minus_trtr"] == "0.0"
    assert json.loads((folder / "run/data-mix.json").read_text())["rows"][0]["arm"] == "trtr"
    assert read_image(folder / "run/data-mix.png").shape[1] > 800
    assert [ratio for ratio, _ in evaluated.by_ratio("accuracy")] == [0, 1]


def test_a_killed_arm_resumes_to_the_same_weights_and_finished_ones_are_not_trained_again(
    evaluated: DataMixResult, folder: Path, real: FaceSet, alike: FaceSet, monkeypatch: pytest.MonkeyPatch
):
    """The second training is killed after its first epoch."""
    from anonderm.classify import train_classifier as stage

    save, saved = stage.save_training, []

    def killed(run_folder, *rest):
        save(run_folder, *rest)
        saved.append(run_folder.name)
        if len(saved) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(stage, "save_training", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluate(folder / "killed", real, alike)
    assert RunRecord.load(folder / "killed/trainings/synthetic-seed-0").content["status"] == "interrupted"
    again = evaluate(folder / "killed", real, alike)
    assert saved.count("real-seed-0") == saved.count("synthetic-seed-0") == 3
    assert by_name(again) == by_name(evaluated)
    killed_one, whole = (
        Checkpoint.load(folder / run / "trainings/synthetic-seed-0/checkpoint.safetensors")
        for run in ("killed", "run")
    )
    assert killed_one.digest == whole.digest


def test_a_training_that_diverges_is_named(
    folder: Path, real: FaceSet, alike: FaceSet, monkeypatch: pytest.MonkeyPatch
):
    from anonderm.classify import train_classifier as stage

    train_classifier = stage.train_classifier

    def diverging(config, faces, run):
        if run.folder.name.startswith("real"):
            raise Diverged("The classifier's loss became nan.")
        return train_classifier(config, faces, run)

    monkeypatch.setattr(stage, "train_classifier", diverging)
    with pytest.raises(Diverged, match=r"1 of the 3 trainings diverged: real, seed 0"):
        evaluate(folder / "nan", real, alike, **SHORT)


def test_a_training_can_be_sent_to_another_process(real: FaceSet, tmp_path: Path):
    from anonderm.experiments.data_mix.config import DataMixConfig

    config = DataMixConfig().classifier(1)
    subrun = Training(tmp_path, "real-seed-1", "real", config, real, {"real": real}).subrun
    assert pickle.loads(pickle.dumps(subrun)).inputs == {"faces": real}
