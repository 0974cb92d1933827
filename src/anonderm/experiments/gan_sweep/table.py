"""What a sweep found, in one table and one picture."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from anonderm.core.files import atomic_path, write_json, write_text
from anonderm.core.images import Pixels, read_image
from anonderm.core.rundir import RunRecord
from anonderm.experiments.gan_sweep.config import Configuration
from anonderm.gan.best_tick import MAX_NEAR_COPY_RATIO

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CELL_INCHES = 2.6
_COLUMNS = 4
_LOG_WIDTH = 110


@dataclass(frozen=True)
class Row:
    """One training: what it was and what came of it. `notes` are those of its card, none where it met NaN."""

    configuration: Configuration
    folder: Path
    notes: dict[str, Any] | None
    metrics: list[dict[str, Any]]
    seconds: float

    @staticmethod
    def of(configuration: Configuration, folder: Path) -> Row:
        """Raises MissingPath or BrokenArtefact."""
        from anonderm.core.checkpoint import Checkpoint

        record = RunRecord.load(folder)
        notes = Checkpoint.load(folder / "checkpoint.safetensors").card.notes if record.done else None
        return Row(configuration, folder, notes, record.metrics, record.content["seconds"])

    @property
    def rank(self) -> tuple[bool, float]:
        """Smallest is best: first those that copy no training faces, then by kernel distance."""
        assert self.notes is not None
        return self.notes["near_copy_ratio"] > MAX_NEAR_COPY_RATIO, self.notes["kernel_distance"]

    def told(self) -> str:
        if self.notes is None:
            return "met NaN"
        copies = f"near-copies x{self.notes['near_copy_ratio']:.2g}"
        distance = f"kernel distance {self.notes['kernel_distance']:.4g}"
        return (
            f"{distance} +- {self.notes['kernel_distance_error']:.2g}, {copies}, {self.notes['kimg']:g} kimg"
        )

    def cells(self) -> dict[str, Any]:
        """The table's columns."""
        names = ("kernel_distance", "kernel_distance_error", "near_copy_ratio", "kimg", "trained_kimg")
        numbers = {name: self.notes[name] if self.notes else None for name in names}
        status = "done" if self.notes else "diverged"
        return {**self.configuration.values, **numbers, "seconds": self.seconds, "status": status}


def best_of(rows: Sequence[Row]) -> Row | None:
    """None where every training met NaN."""
    return min((row for row in rows if row.notes), key=lambda row: row.rank, default=None)


def as_good_as(best: Row, rows: Sequence[Row]) -> list[Row]:
    """The other trainings that cannot be told from the best: within the standard error of the difference."""
    assert best.notes is not None
    found = []
    for row in rows:
        if row is not best and row.notes and row.rank[0] == best.rank[0]:
            margin = math.hypot(row.notes["kernel_distance_error"], best.notes["kernel_distance_error"])
            if row.rank[1] <= best.rank[1] + margin:
                found.append(row)
    return found


def write_table(folder: Path, rows: Sequence[Row], best: Row | None) -> None:
    """sweep.json and sweep.csv."""
    cells = [{"run": row.configuration.name, **row.cells(), "best": row is best} for row in rows]
    equals = [row.configuration.name for row in as_good_as(best, rows)] if best else []
    name = best.configuration.name if best else None
    write_json(folder / "sweep.json", {"best": name, "not_told_from_it": equals, "rows": cells})
    text = io.StringIO()
    writer = csv.DictWriter(text, list(cells[0]))
    writer.writeheader()
    writer.writerows(cells)
    write_text(folder / "sweep.csv", text.getvalue())


def print_table(rows: Sequence[Row], best: Row | None) -> None:
    """To stderr, best first."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE)
    columns = [*rows[0].configuration.values, "kernel distance", "near-copies", "kept at kimg", "seconds", ""]
    for column in columns:
        table.add_column(column, justify="left" if not column else "right")
    equals = as_good_as(best, rows) if best else []
    for row in sorted(rows, key=lambda row: row.rank if row.notes else (True, math.inf)):
        mark = "best" if row is best else "not told from it" if row in equals else ""
        values = [str(value) for value in row.configuration.values.values()]
        if row.notes is None:
            table.add_row(*values, "met NaN", "", "", f"{row.seconds:.0f}", "")
            continue
        distance = f"{row.notes['kernel_distance']:.4g} +- {row.notes['kernel_distance_error']:.2g}"
        copies = f"{row.notes['near_copy_ratio']:.2g}"
        table.add_row(*values, distance, copies, f"{row.notes['kimg']:g}", f"{row.seconds:.0f}", mark)
    # In a log file there is no terminal whose width would count.
    Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_WIDTH).print(table)


def write_picture(path: Path, rows: Sequence[Row], best: Row | None) -> None:
    """A sheet of samples of each training's kept tick, with its settings and numbers; below, the curves.

    With two settings and more, a column is a value of the last one.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    *others, last = rows[0].configuration.values
    columns = len({row.configuration.values[last] for row in rows}) if others else min(_COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    size = (max(2, columns) * _CELL_INCHES, (lines + 1.2) * (_CELL_INCHES + 0.5))
    figure = Figure(figsize=size, layout="constrained")
    FigureCanvasAgg(figure)
    top, bottom = cast("Any", figure.subfigures(2, 1, height_ratios=(lines, 1.2)))
    cells = top.subplots(lines, columns, squeeze=False).flatten()
    for axes in cells:
        axes.axis("off")
    for axes, row in zip(cells, rows, strict=False):
        _draw_cell(axes, row, row is best)
    _draw_curves(bottom.subplots(), rows, best)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _draw_cell(axes: Axes, row: Row, best: bool) -> None:
    sheet = _sheet(row)
    if sheet is not None:
        axes.imshow(sheet)
    numbers = row.told().replace(", ", "\n", 1)
    title = f"{row.configuration}{'  (best)' if best else ''}\n{numbers}"
    axes.set_title(title, fontsize=7, fontweight="bold" if best else "normal")


def _sheet(row: Row) -> Pixels | None:
    """The sheet of the kept tick, or else of the last one."""
    sheets = sorted(row.folder.glob("samples/kimg-*.png"))
    if row.notes:
        kept = [path for path in sheets if math.isclose(_kimg(path), row.notes["kimg"], abs_tol=5e-4)]
        sheets = kept or sheets
    return read_image(sheets[-1]) if sheets else None


def _kimg(sheet: Path) -> float:
    return float(sheet.stem.removeprefix("kimg-"))


def _draw_curves(axes: Axes, rows: Sequence[Row], best: Row | None) -> None:
    from matplotlib import colormaps

    axes.set_prop_cycle(color=colormaps["tab20"].colors)  # type: ignore[attr-defined]
    for row in rows:
        points = [
            (tick["step"], tick["kernel_distance"]) for tick in row.metrics if "kernel_distance" in tick
        ]
        if points:
            step_T, distance_T = np.array(points).T
            style = {"linewidth": 2.5, "color": "black"} if row is best else {"linewidth": 1.0}
            axes.plot(step_T, distance_T, marker="o", markersize=3, label=str(row.configuration), **style)
    axes.set_xlabel("kimg", fontsize=8)
    axes.set_ylabel("kernel distance", fontsize=8)
    axes.tick_params(labelsize=7)
    if axes.lines:
        axes.legend(fontsize=6, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
