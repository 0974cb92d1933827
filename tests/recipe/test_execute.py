from __future__ import annotations

from pathlib import Path

import pytest

from anonderm.core.errors import BadLabel, ConfigChanged
from anonderm.core.files import read_json
from anonderm.core.rundir import RunRecord
from anonderm.recipe import budget, estimate
from anonderm.recipe.execute import run_recipe

RECIPE = """
title = "Two steps"
classes = ["healthy", "severe"]

[steps.photos]
stage = "phantom"
people = 8
size = 32
photos_max = 1
classes = ["healthy", "severe"]

[steps.gan]
stage = "train-gan"
from = { faces = "photos" }
only = "rosacea"
kimg = 1.0
share = 1.0
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "two.toml"
    path.write_text(RECIPE, encoding="utf-8")
    return path


@pytest.fixture
def steady_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (estimate, budget):
        monkeypatch.setattr(module, "kimg_seconds", lambda config, size: 20.0)


def test_until_stops_there_and_what_is_done_stays(recipe: Path, tmp_path: Path) -> None:
    records = run_recipe(recipe, tmp_path / "out", until="photos")
    again = run_recipe(recipe, tmp_path / "out", until="photos")
    assert [record.name for record in records] == ["photos"]
    assert again[0].content == records[0].content
    assert not (tmp_path / "out" / "gan").exists()


def test_a_failing_step_keeps_what_was_done_before(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(BadLabel, match="rosacea"):
        run_recipe(recipe, tmp_path / "out")
    assert RunRecord.load(tmp_path / "out" / "photos").done
    assert RunRecord.load(tmp_path / "out" / "gan").content["status"] == "failed"


def test_a_step_that_failed_before_it_made_anything_may_be_corrected(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(BadLabel):
        run_recipe(recipe, tmp_path / "out")
    recipe.write_text(RECIPE.replace("rosacea", "sever"), encoding="utf-8")
    with pytest.raises(BadLabel, match="sever"):
        run_recipe(recipe, tmp_path / "out")


def test_a_dry_run_writes_nothing(
    recipe: Path, tmp_path: Path, steady_machine: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_recipe(recipe, tmp_path / "out", budget_minutes=30, dry_run=True) == []
    shown = capsys.readouterr().out
    assert "photos" in shown
    assert "left to do" in shown
    assert not (tmp_path / "out").exists()


def test_a_budget_is_planned_once_and_kept(recipe: Path, tmp_path: Path, steady_machine: None) -> None:
    out = tmp_path / "out"
    run_recipe(recipe, out, until="photos", budget_minutes=30)
    planned = read_json(out / "budget.json")
    assert planned["kimg"]["gan"] > 1.0
    with pytest.raises(BadLabel):
        run_recipe(recipe, out)
    assert RunRecord.load(out / "gan").config["kimg"] == planned["kimg"]["gan"]
    with pytest.raises(ConfigChanged, match="30 minutes"):
        run_recipe(recipe, out, budget_minutes=40)
