"""Runs inside another run's folder, such as the trainings of a sweep: one after the other, or side by side.

Each keeps a run folder of its own, so what is done is skipped and what was cut short resumes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path

from anonderm.core.errors import AnondermError, Diverged
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.core.stop import deferred_stop

_DIVERGED, _FAILED, _STOPPED = 3, 2, 130


@dataclass(frozen=True)
class SubRun:
    """`work` does it in `folder` unless it is done, perhaps in another process; `told` is its name."""

    folder: Path
    told: str
    work: Callable[[], object]


def do_all(subruns: Sequence[SubRun], jobs: int, run: RunDir) -> None:
    """Do all of them, as many at a time as there are jobs.

    One that meets NaN is said and the others go on; it has no finished run. Raises what `work` raises, and
    from another process AnondermError with the place of what that one said.
    """
    if jobs == 1:
        _one_after_the_other(subruns, run)
    else:
        _side_by_side(subruns, jobs, run)


def _one_after_the_other(subruns: Sequence[SubRun], run: RunDir) -> None:
    for number, each in enumerate(subruns, 1):
        run.log(f"[{number}/{len(subruns)}] {each.told}")
        try:
            each.work()
        except Diverged as error:
            run.log(f"{each.told}: {error.message}")


def _side_by_side(subruns: Sequence[SubRun], jobs: int, run: RunDir) -> None:
    """As many processes at a time as there are jobs; each works in a slot, which decides its GPU."""
    waiting = [each for each in reversed(subruns) if not _is_done(each)]
    running = dict[int, tuple[SubRun, SpawnProcess]]()
    consoles = run.folder / "consoles"
    consoles.mkdir(exist_ok=True)
    with _ending(running), run.bar("trainings", len(subruns), len(subruns) - len(waiting)) as bar:
        while waiting or running:
            for slot in set(range(jobs)) - running.keys():
                if waiting:
                    each = waiting.pop()
                    arguments = (each, _console(consoles, each), slot, jobs)
                    process = get_context("spawn").Process(target=_work_apart, args=arguments)
                    with deferred_stop() as stop:  # a stop in here would leave a process that nobody ends
                        process.start()
                        running[slot] = (each, process)
                    if stop.requested:
                        raise KeyboardInterrupt
            connection.wait([process.sentinel for _, process in running.values()])
            for slot, (each, process) in list(running.items()):
                if not process.is_alive():
                    del running[slot]
                    _look_at(each, _console(consoles, each), process.exitcode, run)
                    bar.advance(1, note=each.told)


def _is_done(each: SubRun) -> bool:
    """Whether it is done; then `work` only looks whether it still fits, which needs no other process."""
    if not (each.folder / "run.json").exists() or not RunRecord.load(each.folder).done:
        return False
    each.work()
    return True


def _console(consoles: Path, each: SubRun) -> Path:
    """Where a run in a process of its own writes what it says."""
    return consoles / f"{each.folder.name}.txt"


def _look_at(each: SubRun, console: Path, status: int | None, run: RunDir) -> None:
    """How a process ended."""
    if status == _STOPPED:
        raise KeyboardInterrupt
    if status == _DIVERGED:
        run.log(f"{each.told}: {RunRecord.load(each.folder).content['error']}")
    elif status != 0:
        raise AnondermError(
            f"{each.told}: this training failed (exit status {status}).",
            f"{console} says why. Mend it, then run the same command again.",
        )


@contextmanager
def _ending(running: Mapping[int, tuple[SubRun, SpawnProcess]]) -> Iterator[None]:
    """Ask whatever still runs to save and end, and wait for it, when this process is stopped or fails."""
    try:
        yield
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()


def _work_apart(each: SubRun, console: Path, slot: int, jobs: int) -> None:
    """The body of a process. It is out of reach of the terminal's Ctrl-C, which the parent passes on."""
    import torch

    os.setpgrp()
    if torch.cuda.is_available():
        os.environ.setdefault("ANONDERM_DEVICE", f"cuda:{slot % torch.cuda.device_count()}")
    torch.set_num_threads(max(1, torch.get_num_threads() // jobs))
    with console.open("a", buffering=1, encoding="utf-8") as file, redirect_stderr(file):
        try:
            each.work()
        except KeyboardInterrupt:
            sys.exit(_STOPPED)
        except AnondermError as error:
            print(f"anonderm: {error}", file=file)
            sys.exit(_DIVERGED if isinstance(error, Diverged) else _FAILED)
