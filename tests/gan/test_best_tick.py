"""Which tick is kept, by which metrics, and when training stops early."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from tests.gan.conftest import QUICK, make_faces, same, train
from tests.gan.test_training_loop import SMALL, stop_at

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.files import read_json_lines
from anonderm.core.images import Pixels
from anonderm.gan.tick_metrics import MAX_NEAR_COPY_RATIO, BestTick, TickEvaluator, TickMetrics


def _updated(
    *numbers: tuple[float, float, float], best: BestTick | None = None
) -> tuple[BestTick, list[bool]]:
    best = best or BestTick()
    kept = [
        best.update(step, TickMetrics(*each[:2], 1.0, each[2]))
        for step, each in enumerate(numbers, best.step + 1)
    ]
    return best, kept


def test_of_indistinguishable_ticks_the_later_one_is_kept() -> None:
    """0.10 and 0.11 lie within the standard error of their difference, 0.014; 0.13 does not."""
    best, kept = _updated((0.10, 0.01, 1), (0.11, 0.01, 1), (0.13, 0.01, 1))
    assert kept == [True, True, False]
    assert (best.step, best.kernel_distance, best.ticks_since) == (2, 0.11, 1)


def test_a_slow_decline_does_not_drift_away_from_the_lowest_distance() -> None:
    best, kept = _updated((0.10, 0.01, 1), (0.112, 0.01, 1), (0.124, 0.01, 1))
    assert kept == [True, True, False]
    assert best.lowest == 0.10


def test_a_tick_that_copies_is_not_kept_however_low_its_distance() -> None:
    best, kept = _updated(
        (0.10, 0.01, 1), (0.02, 0.01, MAX_NEAR_COPY_RATIO + 0.1), (0.03, 0.01, 9), (0.105, 0.01, 2)
    )
    assert kept == [True, False, False, True]
    assert best.lowest == 0.10
    assert not best.copies


def test_if_every_tick_copies_the_one_with_the_fewest_copies_is_kept() -> None:
    best, kept = _updated((0.1, 0.01, 8), (0.2, 0.01, 6), (0.05, 0.01, 7))
    assert kept == [True, True, False]
    assert best.copies
    _, kept = _updated((0.9, 0.01, 3), (0.01, 0.01, 5), best=best)
    assert kept == [True, False]


def test_the_best_survives_a_snapshot() -> None:
    for ticks in ([], [(0.1, 0.01, 8)], [(0.1, 0.01, 1), (0.3, 0.01, 1)]):
        best, _ = _updated(*ticks)
        assert BestTick(**best.values()) == best


@pytest.fixture
def held_out_faces(tmp_path: Path) -> FaceSet:
    """12 faces to train on and 20 of other people for validation."""
    faces = make_faces(tmp_path / "split", count=32, size=8)
    splits = ["train", *["val"] * 2] * 6 + ["train"] * 6 + ["val"] * 8
    marked = tuple(dataclasses.replace(f, split=s) for f, s in zip(faces, splits, strict=True))
    return FaceSet(faces.folder, marked)


def _evaluator(faces: FaceSet, mirror: bool = True) -> TickEvaluator:
    return TickEvaluator.of(faces.where(split="train"), faces.where(split="val"), "thumbnail", mirror)


def test_copies_of_training_faces_are_counted_and_other_faces_are_not(held_out_faces: FaceSet) -> None:
    evaluator = _evaluator(held_out_faces)
    assert evaluator.reference == "20 faces of the val split"
    assert evaluator.expected == pytest.approx(1 / 21)
    copies = held_out_faces.where(split="train").pixels()
    others = np.random.default_rng(0).integers(0, 255, copies.shape, np.uint8)
    assert evaluator.evaluate(copies).near_copy_ratio == pytest.approx(21)
    assert evaluator.evaluate(np.ascontiguousarray(copies[:, :, ::-1])).near_copy_ratio == pytest.approx(21)
    assert evaluator.evaluate(others).near_copy_ratio == 0
    half = np.concatenate([copies, others])
    assert evaluator.evaluate(half).near_copy_ratio == pytest.approx(10.5)


def test_without_validation_faces_training_faces_are_compared_with_each_other(tmp_path: Path) -> None:
    """Two photos of one person are similar for that reason, and do not count as near-copies."""
    faces = make_faces(tmp_path / "faces", count=24, size=8)
    twins = tuple(dataclasses.replace(f, subject=f"p{index % 12}") for index, f in enumerate(faces))
    same_pictures = [*faces.pixels()[:12], *faces.pixels()[:12]]

    class Twins(FaceSet):
        def pixels(self, size: int | None = None) -> Pixels:
            return np.stack(same_pictures[: len(self)])

    evaluator = TickEvaluator.of(Twins(faces.folder, twins), FaceSet(faces.folder, ()), "thumbnail", False)
    assert "too few" in evaluator.reference
    assert evaluator.threshold > 0
    assert evaluator.evaluate(np.stack(same_pictures)).near_copy_ratio == pytest.approx(25)


def test_the_error_shrinks_with_the_faces_it_rests_on(held_out_faces: FaceSet) -> None:
    evaluator = _evaluator(held_out_faces)
    random = np.random.default_rng(0)
    few, many = (random.integers(0, 255, (count, 8, 8, 3), np.uint8) for count in (40, 640))
    few_distance, many_distance = (evaluator.evaluate(fakes).frechet_distance for fakes in (few, many))
    assert few_distance > many_distance > 0  # biased upwards by few faces
    assert (
        2 < evaluator.evaluate(few).kernel_distance_error / evaluator.evaluate(many).kernel_distance_error < 8
    )  # 4 for independent faces


def _pretend(monkeypatch: pytest.MonkeyPatch, numbers: Iterable[tuple[float, float, float]]) -> None:
    measured = (TickMetrics(*each[:2], 1.0, each[2]) for each in numbers)
    monkeypatch.setattr(TickEvaluator, "evaluate", lambda _self, _faces: next(measured))


def test_the_checkpoint_is_that_of_the_kept_tick(
    held_out_faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(QUICK, kimg=0.024, tick_kimg=0.012)
    _pretend(monkeypatch, [(0.1, 0.01, 1), (0.5, 0.01, 1)])
    kept = train(config, held_out_faces, tmp_path / "kept")
    _pretend(monkeypatch, [(0.1, 0.01, 1)])
    short = train(dataclasses.replace(config, kimg=0.012), held_out_faces, tmp_path / "short")
    assert same(kept, short)
    notes = Checkpoint.load(tmp_path / "kept/checkpoint.safetensors").card.notes
    assert (notes["kimg"], notes["trained_kimg"], notes["kernel_distance"]) == (0.012, 0.024, 0.1)
    assert notes["compared_with"] == "20 faces of the val split"
    assert "kept: the tick at 0.012 kimg" in (tmp_path / "kept/log.txt").read_text()
    assert not list((tmp_path / "kept").glob("best-*"))
    rows = read_json_lines(tmp_path / "kept/metrics.jsonl")
    assert [row["kept"] for row in rows] == [1, 0]
    assert {"kernel_distance_error", "near_copy_ratio", "frechet_distance"} <= rows[0].keys()


def test_overfitting_stops_the_run(
    held_out_faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(QUICK, kimg=1.0, tick_kimg=0.004, patience=2)
    _pretend(monkeypatch, itertools.chain([(0.1, 0.01, 1)], itertools.repeat((0.02, 0.01, 9))))
    train(config, held_out_faces, tmp_path / "run")
    log = (tmp_path / "run/log.txt").read_text()
    assert "stopped at 0.012 kimg: none of the last 2 ticks was as good" in log
    assert Checkpoint.load(tmp_path / "run/checkpoint.safetensors").card.notes["kimg"] == 0.004


def test_a_run_stopped_after_its_best_tick_still_ends_with_it(
    held_out_faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = [(0.1, 0.01, 1), (0.5, 0.01, 1), (0.6, 0.01, 1), (0.7, 0.01, 1)]
    with monkeypatch.context() as patch:
        _pretend(patch, numbers)
        stop_at(patch, 4)
        with pytest.raises(KeyboardInterrupt):
            train(QUICK, held_out_faces, tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").glob("best-*")] == ["best-000000003.safetensors"]
    _pretend(monkeypatch, numbers[1:])
    resumed = train(QUICK, held_out_faces, tmp_path / "run")
    _pretend(monkeypatch, numbers)
    assert same(resumed, train(QUICK, held_out_faces, tmp_path / "straight"))


def test_without_metric_faces_the_last_tick_is_kept(held_out_faces: FaceSet, tmp_path: Path) -> None:
    train(dataclasses.replace(SMALL, kimg=0.008), held_out_faces, tmp_path / "run")
    assert Checkpoint.load(tmp_path / "run/checkpoint.safetensors").card.notes["kimg"] == 0.008
