"""Runs inside a run, side by side: what is done starts no process, what fails is told with its place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from anonderm.core.errors import AnondermError, ConfigChanged
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.experiments.subruns import SubRun, do_all


@dataclass(frozen=True)
class Settings:
    seed: int = 0


def work(folder: Path, seed: int = 0) -> None:
    with RunDir.open(folder, "count", Settings(seed), {}) as run:
        if run.finished is None:
            run.finish([])


def subruns(folder: Path, seed: int = 0) -> list[SubRun]:
    return [SubRun(folder / name, name, partial(work, folder / name, seed)) for name in ("one", "two")]


def open_run(folder: Path) -> RunDir:
    folder.mkdir()
    return RunDir(folder, "all", Settings(), {})


def test_what_is_done_starts_no_process_but_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = open_run(tmp_path / "run")
    do_all(subruns(run.folder), 1, run)
    assert all(RunRecord.load(each.folder).done for each in subruns(run.folder))
    monkeypatch.setattr("anonderm.experiments.subruns.get_context", None)  # nothing can be started
    do_all(subruns(run.folder), 2, run)
    with pytest.raises(ConfigChanged, match="seed: 0 -> 1"):
        do_all(subruns(run.folder, seed=1), 2, run)


def test_one_that_fails_in_its_process_is_told_with_the_place_of_its_words(tmp_path: Path) -> None:
    run = open_run(tmp_path / "run")
    failing = SubRun(run.folder / "one", "one", partial(FaceSet.load, tmp_path / "nowhere"))
    with pytest.raises(AnondermError, match=r"one: this training failed") as failed:
        do_all([failing], 2, run)
    assert str(run.folder / "consoles/one.txt") in failed.value.hint
    assert "not a finished FaceSet" in (run.folder / "consoles/one.txt").read_text(encoding="utf-8")
