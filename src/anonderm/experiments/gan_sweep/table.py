"""The trainings of a sweep, compared in a table and a picture."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from anonderm.core.files import atomic_path, write_text
from anonderm.core.images import Pixels, read_image
from anonderm.core.results.sweep import SweepMeasures, SweepResult, SweepRow
from anonderm.core.rundir import RunRecord
from anonderm.experiments.gan_sweep.config import Configuration
from anonderm.gan.best_tick import MAX_NEAR_COPY_RATIO

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CELL_INCHES = 2.6
_COLUMNS = 4
_LOG_WIDTH = 110


@dataclass(frozen=True)
class Training:
    """One training of a sweep; `measures` are those of the tick that was kept, None if it diverged."""

    configuration: Configuration
    folder: Path
    measures: SweepMeasures | None
    metrics: list[dict[str, Any]]
    seconds: float

    @staticmethod
    def load(configuration: Configuration, folder: Path) -> Training:
        """Raises MissingPath or BrokenArtefact."""
        from anonderm.core.checkpoint import Checkpoint

        record, measures = RunRecord.load(folder), None
        if record.done:
            notes = Checkpoint.load(folder / "checkpoint.safetensors").card.notes
            measures = SweepMeasures(**{field.name: notes[field.name] for field in fields(SweepMeasures)})
        return Training(configuration, folder, measures, record.metrics, record.content["seconds"])

    @property
    def rank(self) -> tuple[bool, float]:
        """Smallest is best: those without copies of training faces first, then by kernel distance."""
        if self.measures is None:
            return True, math.inf
        return self.measures.near_copy_ratio > MAX_NEAR_COPY_RATIO, self.measures.kernel_distance

    def __str__(self) -> str:
        if self.measures is None:
            return "diverged"
        return (
            f"kernel distance {_distance(self.measures)}, "
            f"near-copies x{self.measures.near_copy_ratio:.2g}, {self.measures.kimg:g} kimg"
        )


def _distance(measures: SweepMeasures) -> str:
    return f"{measures.kernel_distance:.4g} +- {measures.kernel_distance_error:.2g}"


def best_of(trainings: Sequence[Training]) -> Training | None:
    """None if every training diverged."""
    return min((each for each in trainings if each.measures), key=lambda each: each.rank, default=None)


def not_worse(best: Training, trainings: Sequence[Training]) -> list[Training]:
    """The other trainings within the standard error of the difference from the best."""
    assert best.measures is not None
    found = []
    for each in trainings:
        if each is not best and each.measures and each.rank[0] == best.rank[0]:
            margin = math.hypot(each.measures.kernel_distance_error, best.measures.kernel_distance_error)
            if each.rank[1] <= best.rank[1] + margin:
                found.append(each)
    return found


def sweep_result(trainings: Sequence[Training], best: Training | None) -> SweepResult:
    return SweepResult(
        rows=tuple(
            SweepRow(
                run=each.configuration.name,
                settings=each.configuration.values,
                status="done" if each.measures else "diverged",
                seconds=each.seconds,
                measures=each.measures,
            )
            for each in trainings
        ),
        best=best.configuration.name if best else None,
        not_worse=tuple(each.configuration.name for each in not_worse(best, trainings)) if best else (),
    )


def write_csv(path: Path, trainings: Sequence[Training], best: Training | None) -> None:
    """A row for each training."""
    names = [field.name for field in fields(SweepMeasures)]
    settings = list(trainings[0].configuration.values)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["run", *settings, *names, "seconds", "status", "best"])
    for each in trainings:
        measures = [getattr(each.measures, name) if each.measures else "" for name in names]
        status = "done" if each.measures else "diverged"
        values = each.configuration.values.values()
        writer.writerow([each.configuration.name, *values, *measures, each.seconds, status, each is best])
    write_text(path, text.getvalue())


def print_table(trainings: Sequence[Training], best: Training | None) -> None:
    """To stderr, best first."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE)
    settings = trainings[0].configuration.values
    for column in (*settings, "kernel distance", "near-copies", "kept at kimg", "seconds", ""):
        table.add_column(column, justify="left" if not column else "right")
    equals = not_worse(best, trainings) if best else []
    for each in sorted(trainings, key=lambda each: each.rank):
        mark = "best" if each is best else "not worse" if each in equals else ""
        values = [str(value) for value in each.configuration.values.values()]
        cells = ("diverged", "", "")
        if each.measures is not None:
            copies = f"{each.measures.near_copy_ratio:.2g}"
            cells = (_distance(each.measures), copies, f"{each.measures.kimg:g}")
        table.add_row(*values, *cells, f"{each.seconds:.0f}", mark)
    # A log file has no terminal width.
    Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_WIDTH).print(table)


def write_picture(path: Path, trainings: Sequence[Training], best: Training | None) -> None:
    """Samples of each training's kept tick, with its settings and measures; below them the curves.

    With two settings or more, each value of the last one has a column.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    *others, last = trainings[0].configuration.values
    values = {each.configuration.values[last] for each in trainings}
    columns = len(values) if others else min(_COLUMNS, len(trainings))
    rows = -(-len(trainings) // columns)
    size = (max(2, columns) * _CELL_INCHES, (rows + 1.2) * (_CELL_INCHES + 0.5))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    top, bottom = cast("Any", figure.subfigures(2, 1, height_ratios=(rows, 1.2)))
    cells = top.subplots(rows, columns, squeeze=False).flatten()
    for axes in cells:
        axes.axis("off")
    for axes, each in zip(cells, trainings, strict=False):
        _draw_cell(axes, each, each is best)
    _draw_curves(bottom.subplots(), trainings, best)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _draw_cell(axes: Axes, training: Training, best: bool) -> None:
    sheet = _sheet(training)
    if sheet is not None:
        axes.imshow(sheet)
    numbers = str(training).replace(", ", "\n", 1)
    title = f"{training.configuration}{'  (best)' if best else ''}\n{numbers}"
    axes.set_title(title, fontsize=7, fontweight="bold" if best else "normal")


def _sheet(training: Training) -> Pixels | None:
    """Of the kept tick, or else of the last one."""
    sheets = sorted(training.folder.glob("samples/kimg-*.png"))
    if training.measures:
        kimg = training.measures.kimg
        kept = [path for path in sheets if math.isclose(_kimg(path), kimg, abs_tol=5e-4)]
        sheets = kept or sheets
    return read_image(sheets[-1]) if sheets else None


def _kimg(sheet: Path) -> float:
    return float(sheet.stem.removeprefix("kimg-"))


def _draw_curves(axes: Axes, trainings: Sequence[Training], best: Training | None) -> None:
    from matplotlib import colormaps

    axes.set_prop_cycle(color=colormaps["tab20"].colors)  # type: ignore[attr-defined]
    for each in trainings:
        points = [
            (tick["step"], tick["kernel_distance"]) for tick in each.metrics if "kernel_distance" in tick
        ]
        if points:
            step_T, distance_T = np.array(points).T
            style = {"linewidth": 2.5, "color": "black"} if each is best else {"linewidth": 1.0}
            axes.plot(step_T, distance_T, marker="o", markersize=3, label=str(each.configuration), **style)
    axes.set_xlabel("kimg", fontsize=8)
    axes.set_ylabel("kernel distance", fontsize=8)
    axes.tick_params(labelsize=7)
    if axes.lines:
        axes.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
