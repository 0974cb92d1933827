"""The stage `sweep-gan`: GANs trained with every combination of some settings, and the best of them."""

from __future__ import annotations

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.files import link_or_copy
from anonderm.core.results.sweep import FILE
from anonderm.core.rundir import RunDir
from anonderm.experiments.gan_sweep.config import SweepGanConfig, configurations
from anonderm.experiments.gan_sweep.table import (
    describe,
    print_table,
    sweep_result,
    write_picture,
    write_table,
)
from anonderm.experiments.subruns import SubRun, run_all
from anonderm.gan.train import check_run


def sweep_gan(config: SweepGanConfig, faces: FaceSet, base: Checkpoint | None, run: RunDir) -> Checkpoint:
    """Train with every combination, write table and picture, and return the best one's checkpoint.

    Invalid settings are reported before the first training. A training that diverges is a row of the table
    like the others. Raises what `train_gan` raises, and Diverged if all of them diverge.
    """
    from anonderm.embeddings.extractors import extractor

    extractor(config.metric_extractor)
    combinations = configurations(config)
    for each in combinations:
        check_run(each.config, faces, base)
    inputs = {"faces": faces, "base": base}
    subruns = [
        SubRun(run.folder / each.name, str(each), "train-gan", each.config, inputs) for each in combinations
    ]
    run_all(subruns, config.jobs, run)

    result = sweep_result(run.folder, combinations)
    result.save(run.folder / FILE)
    write_table(run.folder / "sweep.csv", result)
    write_picture(run.folder, result)
    print_table(result)
    best = next((row for row in result.rows if row.run == result.best), None)
    if best is None:
        raise Diverged(
            f"{run.folder}: all {len(result.rows)} trainings diverged.",
            "Sweep smaller values of learning_rate.",
        )
    run.log(f"best: {best.label} ({describe(best)})")
    checkpoint = Checkpoint.load(run.folder / best.run / "checkpoint.safetensors")
    for suffix in (".safetensors", ".json"):
        link_or_copy(checkpoint.path.with_suffix(suffix), run.folder / f"checkpoint{suffix}")
    return Checkpoint.load(run.folder / "checkpoint.safetensors")
