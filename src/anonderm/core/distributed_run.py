"""The run folder of several processes: rank 0 writes it and broadcasts what the other ranks need."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from anonderm.core.distributed import World
from anonderm.core.errors import ConfigError, ProcessLost
from anonderm.core.progress import Bar
from anonderm.core.rundir import RunDir, RunRecord


class SilentRun(RunDir):
    """The run of a rank other than 0, which writes and logs nothing."""

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        return make()

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
    """Start or resume a run: rank 0 gets a RunDir, the other ranks a SilentRun.

    Raises, on rank 0, whatever RunDir.open raises; on the other ranks, ProcessLost when rank 0 could not
    start and ConfigError when an input differs from that of rank 0.
    """
    if world.is_main:
        with _open_on_rank_0(folder, stage, config, inputs, world) as run:
            yield run
        return
    start = world.broadcast_object(None)
    if start is None:
        raise ProcessLost(f"process {world.rank}: process 0 did not start.", "See its error message.")
    different = [name for name in inputs if inputs[name] != start["inputs"].get(name)]
    if different:
        raise ConfigError(
            f"process {world.rank}: the input {different[0]!r} differs from that of process 0.",
            "Give every machine the same files.",
        )
    run = SilentRun(folder, stage, config, inputs)
    run.world = world
    if start["finished"] is not None:
        run.finished = RunRecord(folder, start["finished"])
    yield run


@contextmanager
def _open_on_rank_0(
    folder: Path, stage: str, config: Any, inputs: dict[str, Any], world: World
) -> Iterator[RunDir]:
    started = False
    try:
        with RunDir.open(folder, stage, config, inputs) as run:
            run.world, started = world, True
            world.broadcast_object({"inputs": inputs, "finished": run.finished and run.finished.content})
            yield run
    finally:
        if not started:
            world.broadcast_object(None)
