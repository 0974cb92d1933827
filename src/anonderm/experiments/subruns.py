"""Runs of whole stages inside another run's folder, in sequence or in parallel: the trainings of a sweep.

Each has a run folder of its own, so finished ones are skipped and interrupted ones resume.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from anonderm.core.errors import AnondermError, Diverged
from anonderm.core.launch import deferred_stop
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.stages import STAGES, Reference, run_stage

_DIVERGED, _FAILED, _STOPPED = 3, 2, 130


@dataclass(frozen=True)
class SubRun:
    """A run of the stage named `stage` in `folder`; `label` names it to the user.

    inputs: artefacts in memory, or references as `run_stage` takes them. after: called with the record of the
    finished run, in the same process; must itself skip what it has done.
    """

    folder: Path
    label: str
    stage: str
    config: Any
    inputs: Mapping[str, Reference | tuple[Reference, ...] | None]
    after: Callable[[RunRecord], object] | None = None

    @property
    def done(self) -> bool:
        return (self.folder / "run.json").exists() and RunRecord.load(self.folder).done

    def run(self) -> RunRecord:
        """Run it, or only verify it if it is done. Raises what run_stage raises."""
        record = run_stage(STAGES[self.stage], self.config, self.inputs, self.folder)
        if self.after is not None:
            self.after(record)
        return record


def run_all(subruns: Sequence[SubRun], jobs: int, run: RunDir) -> None:
    """Run all of them, `jobs` at a time.

    One that diverges is logged and left unfinished; the others continue. Raises what run_stage raises, and
    for a failure in another process AnondermError, which names the file with its output.
    """
    if jobs > 1:
        _run_in_parallel(subruns, jobs, run)
        return
    for number, each in enumerate(subruns, 1):
        run.log(f"[{number}/{len(subruns)}] {each.label}")
        try:
            each.run()
        except Diverged as error:
            run.log(f"{each.label}: {error.message}")


def _run_in_parallel(subruns: Sequence[SubRun], jobs: int, run: RunDir) -> None:
    """At most `jobs` processes at a time; each works in a slot, which decides its GPU."""
    for each in subruns:
        if each.done:
            each.run()
    waiting = [each for each in reversed(subruns) if not each.done]
    running = dict[int, tuple[SubRun, SpawnProcess]]()
    consoles = run.folder / "consoles"
    consoles.mkdir(exist_ok=True)
    with _terminating(running), run.bar("trainings", len(subruns), len(subruns) - len(waiting)) as bar:
        while waiting or running:
            for slot in set(range(jobs)) - running.keys():
                if waiting:
                    each = waiting.pop()
                    arguments = (each, _console(consoles, each), slot, jobs)
                    process = get_context("spawn").Process(target=_run_in_process, args=arguments)
                    with deferred_stop() as stop:  # a stop in here would leave a process that nobody ends
                        process.start()
                        running[slot] = (each, process)
                    if stop.requested:
                        raise KeyboardInterrupt
            connection.wait([process.sentinel for _, process in running.values()])
            for slot, (each, process) in list(running.items()):
                if not process.is_alive():
                    del running[slot]
                    _check_exit(each, _console(consoles, each), process.exitcode, run)
                    bar.advance(1, note=each.label)


def _console(consoles: Path, each: SubRun) -> Path:
    """Where a run in a process of its own writes its output."""
    return consoles / f"{each.folder.name}.txt"


def _check_exit(each: SubRun, console: Path, status: int | None, run: RunDir) -> None:
    if status == _STOPPED:
        raise KeyboardInterrupt
    if status == _DIVERGED:
        run.log(f"{each.label}: {RunRecord.load(each.folder).content['error']}")
    elif status != 0:
        raise AnondermError(
            f"{each.label}: this run failed (exit status {status}).",
            f"Read {console}, fix the cause, and run the same command again.",
        )


@contextmanager
def _terminating(running: Mapping[int, tuple[SubRun, SpawnProcess]]) -> Iterator[None]:
    """If this process is stopped or fails, ask the running ones to save and end, and wait for them."""
    try:
        yield
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()


def _run_in_process(each: SubRun, console: Path, slot: int, jobs: int) -> None:
    """The body of a process. It ignores the terminal's Ctrl-C, which the parent passes on."""
    import torch

    os.setpgrp()
    if torch.cuda.is_available():
        os.environ.setdefault("ANONDERM_DEVICE", f"cuda:{slot % torch.cuda.device_count()}")
    torch.set_num_threads(max(1, torch.get_num_threads() // jobs))
    with console.open("a", buffering=1, encoding="utf-8") as file, redirect_stderr(file):
        try:
            each.run()
        except KeyboardInterrupt:
            sys.exit(_STOPPED)
        except AnondermError as error:
            print(f"anonderm: {error}", file=file)
            sys.exit(_DIVERGED if isinstance(error, Diverged) else _FAILED)
