"""Stages inside a run, in parallel: a finished one starts no process, a failed one names its output."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonderm.core.errors import AnondermError, ConfigChanged
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.experiments.subruns import SubRun, run_all
from anonderm.ingest.config import PhantomConfig


def subruns(folder: Path, seed: int = 0) -> list[SubRun]:
    config = PhantomConfig(people=4, size=32, seed=seed)
    return [SubRun(folder / name, name, "phantom", config, {}) for name in ("one", "two")]


def open_run(folder: Path) -> RunDir:
    folder.mkdir()
    return RunDir(folder, "all", PhantomConfig(), {})


def test_a_finished_run_starts_no_process_but_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(tmp_path / "run")
    run_all(subruns(run.folder), 1, run)
    assert all(RunRecord.load(each.folder).done for each in subruns(run.folder))
    monkeypatch.setattr("anonderm.experiments.subruns.get_context", None)  # nothing can be started
    run_all(subruns(run.folder), 2, run)
    with pytest.raises(ConfigChanged, match="seed: 0 -> 1"):
        run_all(subruns(run.folder, seed=1), 2, run)


def test_a_failure_in_a_process_names_the_file_with_its_output(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run")
    missing = {"faces": tmp_path / "nowhere"}
    failing = SubRun(run.folder / "one", "one", "export-boxes", PhantomConfig(), missing)
    with pytest.raises(AnondermError, match=r"one: this run failed") as failed:
        run_all([failing], 2, run)
    assert str(run.folder / "consoles/one.txt") in failed.value.hint
    assert "no such file or folder" in (run.folder / "consoles/one.txt").read_text(encoding="utf-8")
