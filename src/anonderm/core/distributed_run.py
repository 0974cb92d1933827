"""The run folder under several processes: rank 0 writes it, the others receive what they need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from anonderm.core.distributed import World
from anonderm.core.errors import ConfigError, ProcessLost
from anonderm.core.progress import Bar
from anonderm.core.rundir import RunDir, RunRecord


class SilentRun(RunDir):
    """A run as ranks other than 0 see it: they write and log nothing."""

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
def open_run(folder: Path, stage: str, config: Any, inputs: dict[str, Any], world: World) -> Iterator[RunDir]:
    """Start or resume a run; the leader gets a RunDir, the others a FollowedRun.

    Raises what RunDir.open does, in the leader; ProcessLost in the others when the leader could not start,
    and ConfigError when a process has other inputs than the leader.
    """
    if world.is_main:
        with _led(folder, stage, config, inputs, world) as run:
            yield run
        return
    start = world.broadcast_object(None)
    if start is None:
        raise ProcessLost(f"process {world.rank}: process 0 did not start.", "Its message says why.")
    different = [name for name in inputs if inputs[name] != start["inputs"].get(name)]
    if different:
        raise ConfigError(
            f"process {world.rank}: the input {different[0]!r} is not the one that process 0 has.",
            "Give all machines the same files.",
        )
    run = SilentRun(folder, stage, config, inputs)
    run.world = world
    if start["finished"] is not None:
        run.finished = RunRecord(folder, start["finished"])
    yield run


@contextmanager
def _led(folder: Path, stage: str, config: Any, inputs: dict[str, Any], world: World) -> Iterator[RunDir]:
    told = False
    try:
        with RunDir.open(folder, stage, config, inputs) as run:
            run.world, told = world, True
            world.broadcast_object({"inputs": inputs, "finished": run.finished and run.finished.content})
            yield run
    finally:
        if not told:
            world.broadcast_object(None)
