"""The run folder of a team: the leader holds it, the others are told what they need of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from anonderm.core.distributed import Team
from anonderm.core.errors import ConfigError, ProcessLost
from anonderm.core.progress import Bar
from anonderm.core.rundir import RunDir, RunRecord


class FollowedRun(RunDir):
    """A run as the other processes of its team see it: they write and say nothing."""

    def finish(self, outputs: object) -> None:
        pass

    def log(self, text: str) -> None:
        pass

    def bar(self, description: str, total: float | None, done: float = 0) -> AbstractContextManager[Bar]:
        return nullcontext(_NoBar())

    def metrics(self, step: float, **numbers: float | None) -> None:
        pass

    def rewind_metrics(self, step: float) -> None:
        pass


class _NoBar:
    def advance(self, units: float = 1, note: str = "") -> None:
        pass


@contextmanager
def open_run(folder: Path, stage: str, config: Any, inputs: dict[str, Any], team: Team) -> Iterator[RunDir]:
    """Start or resume a run; the leader gets a RunDir, the others a FollowedRun.

    Raises what RunDir.open does, in the leader; ProcessLost in the others when the leader could not start,
    and ConfigError when a process has other inputs than the leader.
    """
    if team.leads:
        with _led(folder, stage, config, inputs, team) as run:
            yield run
        return
    start = team.hear_leader(None)
    if start is None:
        raise ProcessLost(f"process {team.rank}: process 0 did not start.", "Its message says why.")
    different = [name for name in inputs if inputs[name] != start["inputs"].get(name)]
    if different:
        raise ConfigError(
            f"process {team.rank}: the input {different[0]!r} is not the one that process 0 has.",
            "Give all machines the same files.",
        )
    run = FollowedRun(folder, stage, config, inputs)
    run.team = team
    if start["finished"] is not None:
        run.finished = RunRecord(folder, start["finished"])
    yield run


@contextmanager
def _led(folder: Path, stage: str, config: Any, inputs: dict[str, Any], team: Team) -> Iterator[RunDir]:
    told = False
    try:
        with RunDir.open(folder, stage, config, inputs) as run:
            run.team, told = team, True
            team.hear_leader({"inputs": inputs, "finished": run.finished and run.finished.content})
            yield run
    finally:
        if not told:
            team.hear_leader(None)
