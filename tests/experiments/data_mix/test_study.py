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
from anonderm.core.records import Scores
from anonderm.core.rundir import RunRecord
from anonderm.experiments.data_mix import training as training_module
from anonderm.experiments.data_mix.table import ratio_curve
from anonderm.experiments.data_mix.training import Training

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
def evaluated(folder: Path, real: FaceSet, alike: FaceSet) -> Scores:
    return evaluate(folder / "run", real, alike)


def test_synthetic_faces_like_the_real_ones_teach_as_well(evaluated: Scores):
    for arm in ("trtr", "trts", "tstr", "tsts", "tstr-equal", "trtr-plain", "real+1x"):
        assert evaluated.scores[f"{arm}/accuracy"].value == 1
        assert evaluated.scores[f"{arm}/f1/mild"].value == 1
    assert evaluated.scores["tstr_minus_trtr/quadratic_kappa"].value == 0
    assert evaluated.scores["tstr/accuracy[dark]"].n == 12
    assert "tstr/accuracy[medium]" not in evaluated.scores
    assert evaluated.details["confusion"]["tstr"] == [[12, 0], [0, 12]]


def test_swapped_labels_give_each_cell_of_the_matrix_the_score_it_earns(real: FaceSet, folder: Path):
    """Each classifier is right about its own kind of faces and wrong about every one of the other kind."""
    swapped = synthetic_faces(folder / "swapped", swapped=True)
    scores = evaluate(folder / "of-swapped", real, swapped, **SHORT).scores
    found = {arm: scores[f"{arm}/accuracy"].value for arm in ("trtr", "trts", "tstr", "tsts", "tstr-equal")}
    assert found == {"trtr": 1, "trts": 0, "tstr": 0, "tsts": 1, "tstr-equal": 0}
    apart = scores["tstr_minus_trtr/accuracy"]
    assert (apart.value, apart.low, apart.high) == (-1, -1, -1)
    assert scores["trts_minus_tsts/macro_mae"].value == 1
    assert not scores["trts_minus_tsts/macro_mae"].higher_is_better


def test_all_arms_take_as_many_steps(evaluated: Scores):
    steps = {arm["name"]: arm["steps"] for arm in evaluated.details["arms"]}
    assert set(map(tuple, steps.values())) == {(9,)}  # 3 epochs of 24 faces, 8 a step
    assert {arm["faces"] for arm in evaluated.details["arms"]} == {24, 38, 48}


def test_the_table_and_the_picture_hold_every_arm(evaluated: Scores, folder: Path):
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
    assert [ratio for ratio, _ in ratio_curve(evaluated, "accuracy")] == [0, 1]


def test_a_killed_arm_goes_on_to_the_same_weights_and_what_is_done_is_not_trained_again(
    evaluated: Scores, folder: Path, real: FaceSet, alike: FaceSet, monkeypatch: pytest.MonkeyPatch
):
    """The second training is killed after its first epoch."""
    from anonderm.classify import train

    save, saved = train.save_training, []

    def killed(run_folder, *rest):
        save(run_folder, *rest)
        saved.append(run_folder.name)
        if len(saved) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(train, "save_training", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluate(folder / "killed", real, alike)
    assert RunRecord.load(folder / "killed/trainings/synthetic-seed-0").content["status"] == "interrupted"
    again = evaluate(folder / "killed", real, alike)
    assert saved.count("real-seed-0") == saved.count("synthetic-seed-0") == 3
    assert again.scores == evaluated.scores
    killed_one, whole = (
        Checkpoint.load(folder / run / "trainings/synthetic-seed-0/checkpoint.safetensors")
        for run in ("killed", "run")
    )
    assert killed_one.digest == whole.digest


def test_a_training_that_meets_nan_is_named(
    folder: Path, real: FaceSet, alike: FaceSet, monkeypatch: pytest.MonkeyPatch
):
    train_classifier = training_module.train_classifier

    def diverging(config, learn, run):
        if run.folder.name.startswith("real"):
            raise Diverged("The classifier's loss became nan.")
        return train_classifier(config, learn, run)

    monkeypatch.setattr(training_module, "train_classifier", diverging)
    with pytest.raises(Diverged, match=r"1 of the 3 trainings met NaN: real, seed 0"):
        evaluate(folder / "nan", real, alike, **SHORT)


def test_a_training_travels_to_another_process(real: FaceSet, tmp_path: Path):
    from anonderm.experiments.data_mix.config import DataMixConfig

    training = Training(tmp_path, "real", DataMixConfig().classifier(1), real, {"real": real})
    assert pickle.loads(pickle.dumps(training.subrun)).work.args == (training,)
