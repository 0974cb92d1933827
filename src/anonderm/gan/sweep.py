"""The stage `sweep-gan`: trainings with every combination of some settings, and the best of them.

Each is a run folder of its own inside the sweep's: what is done is skipped, what was cut short resumes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import AnondermError, Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.files import link_or_copy
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.gan.sweep_config import Configuration, SweepGanConfig, configurations
from anonderm.gan.sweep_table import Row, best_of, print_table, write_picture, write_table
from anonderm.gan.train import check_run, train_gan

_DIVERGED, _FAILED, _STOPPED = 3, 2, 130


def sweep_gan(config: SweepGanConfig, faces: FaceSet, base: Checkpoint | None, run: RunDir) -> Checkpoint:
    """Train with every combination, write table and picture, and return the best one's checkpoint.

    Whatever is wrong with a setting is told before the first training. One that meets NaN is a row of the
    table like the others. Raises what `train_gan` raises, and Diverged where all of them met NaN.
    """
    from anonderm.evaluate.features import extractor

    extractor(config.metric_extractor)
    every = configurations(config)
    for each in every:
        check_run(each.config, faces, base)
    work = Work(run.folder, faces, base, config.jobs)
    if config.jobs == 1:
        _one_after_the_other(work, every, run)
    else:
        _side_by_side(work, every, run)

    rows = [Row.of(each, run.folder / each.name) for each in every]
    best = best_of(rows)
    write_table(run.folder, rows, best)
    write_picture(run.folder / "sweep.png", rows, best)
    print_table(rows, best)
    if best is None:
        raise Diverged(
            f"{run.folder}: all {len(rows)} trainings met NaN.", "Sweep smaller values of learning_rate."
        )
    run.log(f"best: {best.configuration} ({best.told()})")
    checkpoint = Checkpoint.load(best.folder / "checkpoint.safetensors")
    for suffix in (".safetensors", ".json"):
        link_or_copy(checkpoint.path.with_suffix(suffix), run.folder / f"checkpoint{suffix}")
    return Checkpoint.load(run.folder / "checkpoint.safetensors")


@dataclass(frozen=True)
class Work:
    """What all trainings of a sweep share; it travels to other processes."""

    folder: Path
    faces: FaceSet
    base: Checkpoint | None
    jobs: int

    def train(self, each: Configuration) -> None:
        """One training, in this process, unless it is done."""
        inputs = {"faces": self.faces.digest} | ({"base": self.base.digest} if self.base else {})
        with RunDir.open(self.folder / each.name, "train-gan", each.config, inputs) as run:
            if run.finished is not None:
                run.finished.verify()
                return
            made = train_gan(each.config, self.faces, self.base, run)
            run.finish([made.path, made.path.with_suffix(".json")])

    def console(self, each: Configuration) -> Path:
        """Where a training in a process of its own writes what it says."""
        return self.folder / "consoles" / f"{each.name}.txt"


def _one_after_the_other(work: Work, every: list[Configuration], run: RunDir) -> None:
    for number, each in enumerate(every, 1):
        run.log(f"[{number}/{len(every)}] {each}")
        try:
            work.train(each)
        except Diverged as error:
            run.log(f"{each}: {error.message}")


def _side_by_side(work: Work, every: list[Configuration], run: RunDir) -> None:
    """As many processes at a time as there are jobs; each works in a slot, which decides its GPU."""
    waiting, running = list(reversed(every)), dict[int, tuple[Configuration, SpawnProcess]]()
    (work.folder / "consoles").mkdir(exist_ok=True)
    with _ending(running), run.bar("trainings", len(every)) as bar:
        while waiting or running:
            for slot in set(range(work.jobs)) - running.keys():
                if waiting:
                    each = waiting.pop()
                    process = get_context("spawn").Process(target=_train_apart, args=(work, each, slot))
                    process.start()
                    running[slot] = (each, process)
            connection.wait([process.sentinel for _, process in running.values()])
            for slot, (each, process) in list(running.items()):
                if not process.is_alive():
                    del running[slot]
                    _look_at(work, each, process.exitcode, run)
                    bar.advance(1, note=str(each))


def _look_at(work: Work, each: Configuration, status: int | None, run: RunDir) -> None:
    """How a process ended."""
    if status == _STOPPED:
        raise KeyboardInterrupt
    if status == _DIVERGED:
        run.log(f"{each}: {RunRecord.load(work.folder / each.name).content['error']}")
    elif status != 0:
        raise AnondermError(
            f"{each}: this training failed (exit status {status}).",
            f"{work.console(each)} says why. Mend it, then run the same command again.",
        )


@contextmanager
def _ending(running: Mapping[int, tuple[Configuration, SpawnProcess]]) -> Iterator[None]:
    """Ask whatever still runs to save and end, and wait for it, when this process is stopped or fails."""
    try:
        yield
    finally:
        for _, process in running.values():
            process.terminate()
        for _, process in running.values():
            process.join()


def _train_apart(work: Work, each: Configuration, slot: int) -> None:
    """The body of a process. It is out of reach of the terminal's Ctrl-C, which the sweep passes on."""
    import torch

    os.setpgrp()
    if torch.cuda.is_available():
        os.environ.setdefault("ANONDERM_DEVICE", f"cuda:{slot % torch.cuda.device_count()}")
    torch.set_num_threads(max(1, torch.get_num_threads() // work.jobs))
    with work.console(each).open("a", buffering=1, encoding="utf-8") as file, redirect_stderr(file):
        try:
            work.train(each)
        except KeyboardInterrupt:
            sys.exit(_STOPPED)
        except AnondermError as error:
            print(f"anonderm: {error}", file=file)
            sys.exit(_DIVERGED if isinstance(error, Diverged) else _FAILED)
