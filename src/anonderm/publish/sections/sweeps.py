"""The report's section on sweeps: the trainings with each combination of settings, compared."""

from __future__ import annotations

from anonderm.core.results.sweep import FILE, SweepResult, SweepRow
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Section, Sheet, Table, picture_file
from anonderm.publish.charts import number
from anonderm.publish.pipeline import Pipeline
from anonderm.publish.sections.training import distance_titles, series

_SHEET_SIDE = 1280


def sweeps(pipeline: Pipeline) -> Section | None:
    blocks: list[Block] = []
    for record in pipeline.of("sweep-gan"):
        result = SweepResult.load(record.folder / FILE)
        blocks.append(_table(record, result))
        blocks += _curves(record, result)
        title = f"{record.name}: samples of each training"
        picture = picture_file(record.folder / "sweep.png", title, _SHEET_SIDE)
        blocks += [Sheet(title, picture)] if picture else []
    if not blocks:
        return None
    lead = (
        "Generators that differ only in the settings shown, each measured at the tick that was kept. A "
        "training is not worse than the best if it lies within the standard error of the difference."
    )
    return Section("sweeps", "Hyperparameter sweep", lead, tuple(blocks))


def _table(record: RunRecord, result: SweepResult) -> Table:
    rows = tuple((row.label, *_measures(row), _verdict(row, result)) for row in result.rows)
    columns = (
        "Settings",
        "Kernel distance",
        "Near-copies, over expected",
        "Kept at kimg",
        "Trained kimg",
        "",
    )
    return Table(f"{record.name}: every training", columns, rows, frozenset(columns[1:5]))


def _measures(row: SweepRow) -> tuple[str, str, str, str]:
    if (of := row.measures) is None:
        return "", "", "", ""
    distance = f"{number(of.kernel_distance)} ± {number(of.kernel_distance_error)}"
    return distance, number(of.near_copy_ratio), number(of.kimg), number(of.trained_kimg)


def _verdict(row: SweepRow, result: SweepResult) -> str:
    if row.measures is None:
        return "diverged"
    return "best" if row.run == result.best else "not worse" if row.run in result.not_worse else ""


def _curves(record: RunRecord, result: SweepResult) -> list[Block]:
    """The distances of each training's ticks."""
    metrics = {row.run: RunRecord.load(record.folder / row.run).metrics for row in result.rows}
    drawn = [
        charts.lines(title, {run[3:]: series(rows, key) for run, rows in metrics.items()}, "kimg")
        for key, title in distance_titles(record).items()
    ]
    shown = tuple(chart for chart in drawn if chart)
    return [Charts(f"{record.name}: every tick", shown)] if shown else []
