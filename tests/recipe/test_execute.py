from __future__ import annotations

from pathlib import Path

import pytest

from anonderm.core.documents import read_json
from anonderm.core.errors import BadLabel, ConfigChanged, ReleaseRefused
from anonderm.core.rundir import RunRecord
from anonderm.gan import planning as gan
from anonderm.recipe.execute import _refused_input, run_recipe
from anonderm.recipe.plan import Step
from anonderm.stages import STAGES

RECIPE = """
title = "Two steps"
classes = ["healthy", "severe", "rosacea"]

[steps.photos]
stage = "phantom"
people = 8
size = 32
photos_max = 1
classes = ["healthy", "severe"]

[steps.gan]
stage = "train-gan"
from = { faces = "photos" }
label = "rosacea"
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
    monkeypatch.setattr(gan, "kimg_seconds", lambda config, size: 20.0)


def test_until_stops_after_that_step_and_finished_steps_stay(recipe: Path, tmp_path: Path) -> None:
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


REFUSED = """
title = "Refused"
classes = ["healthy"]

[steps.faces]
stage = "generate"
from = { checkpoints = "phantom-64" }
seeds = "0-3"

[steps.release]
stage = "export"
from = { faces = "faces", source_models = "phantom-64" }

[steps.report]
stage = "report"
from = { runs = ["faces", "release"] }
"""


def test_a_refused_release_ends_the_recipe_but_not_before_its_report(
    tmp_path: Path,
) -> None:
    path, out = tmp_path / "refused.toml", tmp_path / "out"
    path.write_text(REFUSED)
    with pytest.raises(ReleaseRefused, match="no audit"):
        run_recipe(path, out)
    assert not (out / "release" / "release").exists()
    page = (out / "report-refused" / "report.html").read_text(encoding="utf-8")
    assert "The release was refused: there is no audit of this set" in page
    assert str(tmp_path) not in page

    named = 'override_name = "A. Steward"\noverride_reason = "a drill"\noverride_date = "2026-11-21"\n'
    path.write_text(path.read_text().replace("[steps.report]", f"{named}\n[steps.report]"))
    assert [record.name for record in run_recipe(path, out)] == ["faces", "release", "report"]
    assert "The release was refused" not in (out / "report" / "report.html").read_text(encoding="utf-8")


def test_a_step_that_needs_the_refused_release_is_skipped() -> None:
    needs = Step("next", STAGES["export"], None, {"faces": ("release",)})
    reads = Step("report", STAGES["report"], None, {"runs": ("faces", "release")})
    assert (_refused_input(needs, {"release": ""}), _refused_input(reads, {"release": ""})) == ("release", "")


def test_every_input_of_a_step_is_checked_for_a_refused_one() -> None:
    second = Step("next", STAGES["evaluate fidelity"], None, {"real": ("photos",), "synthetic": ("release",)})
    assert _refused_input(second, {"release": ""}) == "release"
