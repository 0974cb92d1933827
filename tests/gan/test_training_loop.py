"""The training loop: stopping, resuming, and recovery from NaN."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.gan.conftest import QUICK, make_faces, same, train

from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json_lines
from anonderm.core.launch import deferred_stop
from anonderm.core.rundir import RunRecord
from anonderm.gan import phases, training_loop
from anonderm.gan.config import PRESETS, architecture
from anonderm.gan.training_state import TrainingState, new_networks, new_state

SMALL = dataclasses.replace(QUICK, metric_faces=0)
"""Ten steps, a tick every three."""


@pytest.fixture
def small_faces(tmp_path: Path) -> FaceSet:
    return make_faces(tmp_path / "faces", size=8)


@pytest.fixture
def spoil(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Make the generator's loss NaN for `times` steps after `good` steps."""

    def spoil(good: int, times: int) -> None:
        healthy, calls = phases.losses.generator_loss, iter(range(1000))
        monkeypatch.setattr(
            phases.losses,
            "generator_loss",
            lambda logit: healthy(logit) * (float("nan") if good <= next(calls) < good + times else 1),
        )

    return spoil


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Send SIGTERM in the middle of a step."""
    healthy = phases.losses.real_loss
    calls = iter(range(1000))

    def real_loss(logit: torch.Tensor) -> torch.Tensor:
        if next(calls) == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return healthy(logit)

    monkeypatch.setattr(phases.losses, "real_loss", real_loss)


def test_nan_stops_training_and_names_tick_phase_and_snapshot(
    small_faces: FaceSet, tmp_path: Path, spoil: Callable[[int, int], None]
) -> None:
    spoil(4, 100)
    with pytest.raises(
        Diverged, match=r"tick 2, step 5, 0.02 kimg, generator phase: loss_g is NaN"
    ) as caught:
        train(SMALL, small_faces, tmp_path / "run")
    assert f"The last good snapshot is {tmp_path / 'run/state.safetensors'}" in str(caught.value)
    assert "--on-nan rollback" in str(caught.value)


def test_a_weight_that_is_not_finite_never_reaches_a_snapshot(
    small_faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healthy = training_loop.train_step

    def train_step(state: TrainingState, *rest: object) -> phases.Values:
        numbers = healthy(state, *rest)  # type: ignore[arg-type]
        if state.step == 6:
            next(state.generator.parameters()).data.flatten()[0] = float("inf")
        return numbers

    monkeypatch.setattr(training_loop, "train_step", train_step)
    with pytest.raises(Diverged, match=r"tick 2, step 6, .*a weight is NaN or infinite"):
        train(SMALL, small_faces, tmp_path / "run")
    assert len(read_json_lines(tmp_path / "run/metrics.jsonl")) == 1


def test_rollback_returns_to_the_snapshot_and_halves_the_learning_rate(
    small_faces: FaceSet, tmp_path: Path, spoil: Callable[[int, int], None]
) -> None:
    spoil(4, 1)
    train(dataclasses.replace(SMALL, on_nan="rollback"), small_faces, tmp_path / "run")
    rows = read_json_lines(tmp_path / "run/metrics.jsonl")
    assert [row["step"] for row in rows] == [0.012, 0.024, 0.036, 0.04]
    assert [row["learning_rate"] for row in rows] == [0.003, 0.0015, 0.0015, 0.0015]
    assert "Back to step 3, learning rate 0.0015 (rollback 1 of 3)" in (tmp_path / "run/log.txt").read_text()


def test_before_the_first_tick_rollback_returns_to_the_start(
    small_faces: FaceSet, tmp_path: Path, spoil: Callable[[int, int], None]
) -> None:
    spoil(0, 1)
    train(dataclasses.replace(SMALL, on_nan="rollback"), small_faces, tmp_path / "run")
    assert "Back to step 0" in (tmp_path / "run/log.txt").read_text()


def test_after_three_rollbacks_nan_stops_training(
    small_faces: FaceSet, tmp_path: Path, spoil: Callable[[int, int], None]
) -> None:
    spoil(4, 100)
    with pytest.raises(Diverged, match=r"step 4, .*loss_g is NaN") as caught:
        train(dataclasses.replace(SMALL, on_nan="rollback"), small_faces, tmp_path / "run")
    assert "already halved 3 times" in str(caught.value)
    log = (tmp_path / "run/log.txt").read_text()
    assert "learning rate 0.000375 (rollback 3 of 3)" in log


def test_a_run_stopped_between_ticks_ends_with_the_same_weights_and_metrics(
    small_faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        stop_at(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            train(SMALL, small_faces, tmp_path / "stopped")
    assert signal.getsignal(signal.SIGTERM) == before
    assert "stopped at 0.02 kimg; the state is saved" in (tmp_path / "stopped/log.txt").read_text()
    assert RunRecord.load(tmp_path / "stopped").content["status"] == "interrupted"

    resumed = train(SMALL, small_faces, tmp_path / "stopped")
    assert same(resumed, train(SMALL, small_faces, tmp_path / "straight"))
    rows, expected = (read_json_lines(tmp_path / name / "metrics.jsonl") for name in ("stopped", "straight"))
    for row in (*rows, *expected):
        del row["seconds_per_kimg"]
    assert rows == expected


def test_ctrl_c_waits_for_the_step_and_a_second_one_does_not() -> None:
    with deferred_stop() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_snapshot_remembers_the_lowered_learning_rate(tmp_path: Path) -> None:
    def fresh() -> TrainingState:
        return new_state(*new_networks(architecture(PRESETS["tiny"], 8, ()), 0, "cpu"), 0.002, True)

    first, second = fresh(), fresh()
    first.set_rollbacks(2)
    first.save(tmp_path / "state.safetensors")
    second.load(tmp_path / "state.safetensors")
    assert (second.rollbacks, second.learning_rate) == (2, 0.0005)
    assert second.optimiser_d.param_groups[0]["lr"] == 0.0005 * 16 / 17


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_one_bad_weight_is_found(value: float) -> None:
    state = new_state(*new_networks(architecture(PRESETS["tiny"], 8, ()), 0, "cpu"), 0.002, True)
    assert state.is_finite()
    state.discriminator.dense.weight.data[3, 5] = value
    assert not state.is_finite()
