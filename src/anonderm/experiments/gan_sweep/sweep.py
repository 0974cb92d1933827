"""The stage `sweep-gan`: GANs trained with every combination of some settings, in a table and a picture."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import Diverged
from anonderm.core.faceset import FaceSet
from anonderm.core.files import atomic_path, link_or_copy, write_csv
from anonderm.core.images import Pixels, read_image
from anonderm.core.results.sweep import FILE, SweepMeasures, SweepResult, SweepRow
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.experiments.gan_sweep.config import Configuration, SweepGanConfig, configurations
from anonderm.experiments.subruns import SubRun, run_all
from anonderm.gan.tick_metrics import MAX_NEAR_COPY_RATIO
from anonderm.gan.train import check_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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

    result = compare([read_row(run.folder / each.name, each) for each in combinations])
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


_CELL_INCHES = 2.6
_COLUMNS = 4
_LOG_WIDTH = 110
_MEASURES = tuple(field.name for field in dataclasses.fields(SweepMeasures))


def read_row(folder: Path, configuration: Configuration) -> SweepRow:
    """Of the training in `folder`. Raises MissingPath or BrokenArtefact."""
    record, measures = RunRecord.load(folder), None
    if record.done:
        notes = Checkpoint.load(folder / "checkpoint.safetensors").card.notes
        measures = SweepMeasures(**{name: notes[name] for name in _MEASURES})
    return SweepRow(
        run=configuration.name,
        settings=configuration.values,
        status="done" if measures else "diverged",
        seconds=record.content["seconds"],
        measures=measures,
    )


def compare(rows: Sequence[SweepRow]) -> SweepResult:
    """Name the best row, and the others within the standard error of the difference from it."""
    best = min((row for row in rows if row.measures), key=_rank, default=None)
    if best is None:
        return SweepResult(tuple(rows), None, ())
    not_worse = tuple(row.run for row in rows if row is not best and _is_not_worse(row, best))
    return SweepResult(tuple(rows), best.run, not_worse)


def _rank(row: SweepRow) -> tuple[bool, float]:
    """Smallest is best: those without copies of training faces first, then by kernel distance."""
    if row.measures is None:
        return True, math.inf
    return row.measures.near_copy_ratio > MAX_NEAR_COPY_RATIO, row.measures.kernel_distance


def _is_not_worse(row: SweepRow, best: SweepRow) -> bool:
    if row.measures is None or best.measures is None or _rank(row)[0] != _rank(best)[0]:
        return False
    margin = math.hypot(row.measures.kernel_distance_error, best.measures.kernel_distance_error)
    return row.measures.kernel_distance <= best.measures.kernel_distance + margin


def describe(row: SweepRow) -> str:
    if (of := row.measures) is None:
        return "diverged"
    return f"kernel distance {_distance(of)}, near-copies x{of.near_copy_ratio:.2g}, {of.kimg:g} kimg"


def _distance(measures: SweepMeasures) -> str:
    return f"{measures.kernel_distance:.4g} +- {measures.kernel_distance_error:.2g}"


def write_table(path: Path, result: SweepResult) -> None:
    """A row for each training, as CSV."""
    rows = [
        {
            "run": row.run,
            **row.settings,
            **(dataclasses.asdict(row.measures) if row.measures else dict.fromkeys(_MEASURES)),
            "seconds": row.seconds,
            "status": row.status,
            "best": row.run == result.best,
        }
        for row in result.rows
    ]
    write_csv(path, list(rows[0]), rows)


def print_table(result: SweepResult) -> None:
    """To stderr, best first."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE)
    settings = result.rows[0].settings
    for column in (*settings, "kernel distance", "near-copies", "kept at kimg", "seconds", ""):
        table.add_column(column, justify="left" if not column else "right")
    for row in sorted(result.rows, key=_rank):
        mark = "best" if row.run == result.best else "not worse" if row.run in result.not_worse else ""
        cells = ("diverged", "", "")
        if (of := row.measures) is not None:
            cells = (_distance(of), f"{of.near_copy_ratio:.2g}", f"{of.kimg:g}")
        table.add_row(*map(str, row.settings.values()), *cells, f"{row.seconds:.0f}", mark)
    # A log file has no terminal width.
    Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_WIDTH).print(table)


def write_picture(folder: Path, result: SweepResult) -> None:
    """sweep.png: samples of each training's kept tick, with its settings and measures; below them the curves.

    With two settings or more, each value of the last one has a column.
    """
    from matplotlib.figure import Figure

    *others, last = result.rows[0].settings
    values = {row.settings[last] for row in result.rows}
    columns = len(values) if others else min(_COLUMNS, len(result.rows))
    lines = -(-len(result.rows) // columns)
    size = (max(2, columns) * _CELL_INCHES, (lines + 1.2) * (_CELL_INCHES + 0.5))
    figure = Figure(figsize=size, layout="constrained")
    top, bottom = cast("Any", figure.subfigures(2, 1, height_ratios=(lines, 1.2)))
    cells = top.subplots(lines, columns, squeeze=False).flatten()
    for axes in cells:
        axes.axis("off")
    for axes, row in zip(cells, result.rows, strict=False):
        if (sheet := _sheet(folder, row)) is not None:
            axes.imshow(sheet)
        best, measures = row.run == result.best, describe(row).replace(", ", "\n", 1)
        title = f"{row.label}{'  (best)' if best else ''}\n{measures}"
        axes.set_title(title, fontsize=7, fontweight="bold" if best else "normal")
    _draw_curves(bottom.subplots(), folder, result)
    with atomic_path(folder / "sweep.png") as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _sheet(folder: Path, row: SweepRow) -> Pixels | None:
    """Of the kept tick, or else of the last one."""
    sheets = sorted((folder / row.run).glob("samples/kimg-*.png"))
    if row.measures:
        kimg = {path: float(path.stem.removeprefix("kimg-")) for path in sheets}
        kept = [path for path in sheets if math.isclose(kimg[path], row.measures.kimg, abs_tol=5e-4)]
        sheets = kept or sheets
    return read_image(sheets[-1]) if sheets else None


def _draw_curves(axes: Axes, folder: Path, result: SweepResult) -> None:
    from matplotlib import colormaps

    axes.set_prop_cycle(color=colormaps["tab20"].colors)  # type: ignore[attr-defined]
    for row in result.rows:
        ticks = RunRecord.load(folder / row.run).metrics
        points = [(tick["step"], tick["kernel_distance"]) for tick in ticks if "kernel_distance" in tick]
        if points:
            step_T, distance_T = np.array(points).T
            style = {"linewidth": 2.5, "color": "black"} if row.run == result.best else {"linewidth": 1.0}
            axes.plot(step_T, distance_T, marker="o", markersize=3, label=row.label, **style)
    axes.set_xlabel("kimg", fontsize=8)
    axes.set_ylabel("kernel distance", fontsize=8)
    axes.tick_params(labelsize=7)
    if axes.lines:
        axes.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
