"""The report's section on sweeps: what each combination of settings came to."""

from __future__ import annotations

from typing import Any

from anonderm.core.files import read_json
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Section, Sheet, Table, picture_file
from anonderm.publish.charts import number
from anonderm.publish.faces import distance_titles, series
from anonderm.publish.runs import Material

_NUMBERS = {
    "kernel_distance": "Kernel distance",
    "near_copy_ratio": "Near-copies, over expected",
    "kimg": "Kept at kimg",
    "trained_kimg": "Trained kimg",
}
_OTHERS = ("run", "kernel_distance_error", "seconds", "status", "best")
_SHEET_SIDE = 1280


def sweeps(material: Material) -> Section | None:
    blocks: list[Block] = []
    for record in material.of("sweep-gan"):
        found = read_json(record.folder / "sweep.json")
        blocks.append(_table(record, found))
        blocks += _curves(record, found)
        title = f"{record.name}: samples of each training"
        picture = picture_file(record.folder / "sweep.png", title, _SHEET_SIDE)
        blocks += [Sheet(title, picture)] if picture else []
    if not blocks:
        return None
    lead = (
        "Generators that differ in some settings alone, each measured at the tick that was kept. Those that "
        "cannot be told from the best lie within the standard error of the difference."
    )
    return Section("sweeps", "Settings compared", lead, tuple(blocks))


def _table(record: RunRecord, found: dict[str, Any]) -> Table:
    settings = [name for name in found["rows"][0] if name not in _NUMBERS and name not in _OTHERS]
    rows = tuple(
        (
            ", ".join(f"{name} = {row[name]:g}" for name in settings)
            if all(isinstance(row[name], int | float) for name in settings)
            else ", ".join(f"{name} = {row[name]}" for name in settings),
            _distance(row),
            *("" if row[key] is None else number(row[key]) for key in list(_NUMBERS)[1:]),
            _verdict(row, found),
        )
        for row in found["rows"]
    )
    columns = ("Settings", *_NUMBERS.values(), "")
    return Table(f"{record.name}: every training", columns, rows, frozenset(_NUMBERS.values()))


def _distance(row: dict[str, Any]) -> str:
    if row["kernel_distance"] is None:
        return ""
    return f"{number(row['kernel_distance'])} ± {number(row['kernel_distance_error'])}"


def _verdict(row: dict[str, Any], found: dict[str, Any]) -> str:
    if row["status"] != "done":
        return "met NaN"
    return "best" if row["best"] else "not told from it" if row["run"] in found["not_told_from_it"] else ""


def _curves(record: RunRecord, found: dict[str, Any]) -> list[Block]:
    """A line a training: the distances of its ticks."""
    metrics = {row["run"]: RunRecord.load(record.folder / row["run"]).metrics for row in found["rows"]}
    drawn = [
        charts.lines(title, {name[3:]: series(rows, key) for name, rows in metrics.items()}, "kimg")
        for key, title in distance_titles(record).items()
    ]
    shown = tuple(chart for chart in drawn if chart)
    return [Charts(f"{record.name}: tick by tick", shown)] if shown else []
