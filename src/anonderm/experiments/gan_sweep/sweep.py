"""The stage `sweep-gan`: trainings with every combination of some settings, and the best of them.

Each is a run folder of its own inside the sweep's: what is done is skipped, what was cut short resumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.files import link_or_copy
from anonderm.core.rundir import RunDir
from anonderm.experiments.gan_sweep.config import Configuration, SweepGanConfig, configurations
from anonderm.experiments.gan_sweep.table import Row, best_of, print_table, write_picture, write_table
from anonderm.experiments.subruns import SubRun, do_all
from anonderm.gan.train import check_run, train_gan


def sweep_gan(config: SweepGanConfig, faces: FaceSet, base: Checkpoint | None, run: RunDir) -> Checkpoint:
    """Train with every combination, write table and picture, and return the best one's checkpoint.

    Whatever is wrong with a setting is told before the first training. One that meets NaN is a row of the
    table like the others. Raises what `train_gan` raises, and Diverged where all of them met NaN.
    """
    from anonderm.embeddings.extractors import extractor

    extractor(config.metric_extractor)
    every = configurations(config)
    for each in every:
        check_run(each.config, faces, base)
    work = Work(run.folder, faces, base)
    trainings = [SubRun(run.folder / each.name, str(each), partial(work.train, each)) for each in every]
    do_all(trainings, config.jobs, run)

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

    def train(self, each: Configuration) -> None:
        """One training, in this process, unless it is done."""
        inputs = {"faces": self.faces.digest} | ({"base": self.base.digest} if self.base else {})
        with RunDir.open(self.folder / each.name, "train-gan", each.config, inputs) as run:
            if run.finished is not None:
                run.finished.verify()
                return
            made = train_gan(each.config, self.faces, self.base, run)
            run.finish([made.path, made.path.with_suffix(".json")])
