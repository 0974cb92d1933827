"""The stage sweep-gan: every combination once, one table, one picture, and the best of them."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tests.gan.conftest import QUICK, make_faces, same, train

from anonderm.cli import main
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.config import from_dict, to_dict
from anonderm.core.errors import ConfigError, Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.images import read_image
from anonderm.core.results.sweep import SweepMeasures, SweepResult, SweepRow
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.experiments.gan_sweep.config import SweepGanConfig, configurations
from anonderm.experiments.gan_sweep.sweep import compare, sweep_gan
from anonderm.gan import train as gan_train

SHORT = dataclasses.replace(QUICK, kimg=0.008, tick_kimg=0.004)


def _config(*sweep: str, jobs: int = 1, **changes: object) -> SweepGanConfig:
    return from_dict(SweepGanConfig, {**to_dict(SHORT), "sweep": sweep, "jobs": jobs, **changes}, "test")


@pytest.fixture
def faces(tmp_path: Path) -> FaceSet:
    return make_faces(tmp_path / "faces", size=8)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As many as each of two trainings side by side gets: sums over more round differently."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _run(config: SweepGanConfig, faces: FaceSet, folder: Path) -> Checkpoint:
    with RunDir.open(folder, "sweep-gan", config, {}) as run:
        return sweep_gan(config, faces, None, run)


def test_every_combination_is_trained_with_typed_values() -> None:
    found = configurations(_config("r1_gamma=2,6.55", "freeze-d=0,4", "mirror=true"))
    assert [str(each) for each in found] == [
        "r1_gamma=2 freeze_d=0 mirror=True",
        "r1_gamma=2 freeze_d=4 mirror=True",
        "r1_gamma=6.55 freeze_d=0 mirror=True",
        "r1_gamma=6.55 freeze_d=4 mirror=True",
    ]
    last = found[-1]
    assert (last.config.r1_gamma, last.config.freeze_d, last.config.kimg) == (6.55, 4, 0.008)
    assert type(last.config) is type(SHORT)
    assert last.name == "04-r1_gamma=6.55-freeze_d=4-mirror=True"
    assert configurations(_config("augment_p=none,0.2"))[0].config.augment_p is None


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("r1_gama=1,2",), "unknown setting 'r1_gama'"),
        (("freeze_d=0,4.5",), "freeze_d"),
        (("r1_gamma=1,-1",), "must be at least 0"),
        (("r1_gamma",), "must have the form"),
        (("r1_gamma=",), "must have the form"),
        (("r1_gamma=1,1.0",), "is repeated"),
        (("r1_gamma=1", "r1_gamma=2"), "is given twice"),
        (("metric_faces=16,32",), "must be the same"),
        (("jobs=1,2",), "must be the same"),
        (("conditional=true", "label=mild"), "must be the same"),
        (("augment=none", "augment_p=0.2"), "at augment=none-augment_p=0.2: augment = none, but"),
        ((), "needs settings"),
    ],
)
def test_what_cannot_be_swept_is_refused_before_anything_starts(wrong: tuple[str, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _config(*wrong)


def test_layers_that_the_network_lacks_are_refused_before_anything_starts(
    faces: FaceSet, tmp_path: Path
) -> None:
    base_run = tmp_path / "base"
    train(dataclasses.replace(SHORT, metric_faces=0), faces, base_run)
    base = Checkpoint.load(base_run / "checkpoint.safetensors")
    config = _config("freeze_d=0,4,10")
    with (
        pytest.raises(ConfigError, match="freeze_d = 10: the discriminator for 8 px has 4 layers"),
        RunDir.open(tmp_path / "run", "sweep-gan", config, {}) as run,
    ):
        sweep_gan(config, faces, base, run)
    assert not list((tmp_path / "run").glob("0*"))


def test_a_sweep_ends_with_a_table_a_picture_and_the_best_checkpoint(
    faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(
        f"sweep-gan --faces {faces.folder} --sweep r1_gamma=0.5,5 --kimg 0.008 --tick-kimg 0.004 --batch 4 "
        f"--metric-extractor thumbnail --metric-faces 16 --samples 4 --out {tmp_path / 'run'}".split()
    )
    log = capsys.readouterr().err
    assert status == 0
    table = SweepResult.load(tmp_path / "run/sweep.json")
    assert [row.run for row in table.rows] == ["01-r1_gamma=0.5", "02-r1_gamma=5"]
    best = min(table.rows, key=lambda row: (row.measures.near_copy_ratio > 4, row.measures.kernel_distance))
    assert table.best == best.run
    assert f"best: r1_gamma={best.settings['r1_gamma']:g}" in log
    record = RunRecord.load(tmp_path / "run" / best.run)
    assert record.stage == "train-gan"
    assert record.done
    chosen = Checkpoint.load(tmp_path / "run/checkpoint.safetensors")
    assert chosen.digest == Checkpoint.load(record.folder / "checkpoint.safetensors").digest
    with (tmp_path / "run/sweep.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["best"] for row in rows] == [str(row is best) for row in table.rows]
    assert read_image(tmp_path / "run/sweep.png").shape[1] > 400


def test_a_finished_training_is_not_repeated(
    faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second training is stopped; the same sweep again trains only that one."""
    config, trained = _config("seed=0,1"), []

    def counted(config: object, **rest: object) -> Checkpoint:
        if len(trained) == 1:
            trained.append("stopped")
            raise KeyboardInterrupt
        trained.append(config.seed)  # type: ignore[attr-defined]
        return train_gan(config, **rest)  # type: ignore[arg-type]

    train_gan = gan_train.train_gan
    monkeypatch.setattr(gan_train, "train_gan", counted)
    with pytest.raises(KeyboardInterrupt):
        _run(config, faces, tmp_path / "run")
    assert RunRecord.load(tmp_path / "run").content["status"] == "interrupted"
    _run(config, faces, tmp_path / "run")
    assert trained == [0, "stopped", 1]


def test_a_training_that_diverges_is_a_row_and_the_others_go_on(
    faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_gan = gan_train.train_gan

    def diverging(config: object, **rest: object) -> Checkpoint:
        if config.seed == 0:  # type: ignore[attr-defined]
            raise Diverged("tick 1: loss_g is NaN or infinite.")
        return train_gan(config, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(gan_train, "train_gan", diverging)
    _run(_config("seed=0,1"), faces, tmp_path / "run")
    table = SweepResult.load(tmp_path / "run/sweep.json")
    assert [row.status for row in table.rows] == ["diverged", "done"]
    assert table.best == "02-seed=1"
    with pytest.raises(Diverged, match="all 1 trainings diverged"):
        _run(_config("seed=0"), faces, tmp_path / "none")


def test_trainings_in_parallel_end_with_the_same_weights(
    faces: FaceSet, tmp_path: Path, one_thread: None
) -> None:
    _run(_config("seed=0,1", jobs=2), faces, tmp_path / "run")
    first, second = ((tmp_path / "run" / name) for name in ("01-seed=0", "02-seed=1"))
    assert RunRecord.load(first).done
    made = Checkpoint.load(second / "checkpoint.safetensors").tensors()
    assert same(made, train(dataclasses.replace(SHORT, seed=1), faces, tmp_path / "alone"))
    assert "faces of 8 px" in (tmp_path / "run/consoles/02-seed=1.txt").read_text()


def _row(seed: int, distance: float, error: float, copies: float) -> SweepRow:
    measures = SweepMeasures(distance, error, copies, 1.0, 2.0)
    return SweepRow(f"0{seed}-seed={seed}", {"seed": seed}, "done", 3.0, measures)


def test_the_best_copies_no_training_faces_and_equals_are_named() -> None:
    rows = [
        _row(1, 0.20, 0.01, 1),
        _row(2, 0.10, 0.01, 9),
        _row(3, 0.21, 0.01, 1),
        _row(4, 0.25, 0.01, 1),
        dataclasses.replace(_row(5, 0, 0, 0), measures=None),
    ]
    result = compare(rows)
    assert result.best == "01-seed=1"
    assert result.not_worse == ("03-seed=3",)
    assert compare(rows[-1:]) == SweepResult((rows[-1],), None, ())
