"""The report's sections on training: curves of the generators, of sweeps and of the classifiers."""

from typing import Any

import numpy as np

from anonderm.core.results.sweep import FILE, SweepResult, SweepRow
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Gallery, Section, Table, charts_block, gallery, sheet
from anonderm.publish.charts import number
from anonderm.publish.pipeline import Pipeline

_SHEETS = 4
_GAN_CHARTS = {
    "Losses": ("loss_g", "loss_d"),
    "Augmentation": ("ada_p", "ada_sign"),
    "Near-copies of training faces": ("near_copy_ratio",),
}


def generators(pipeline: Pipeline) -> Section:
    blocks: list[Block | None] = []
    for record in pipeline.of("train-gan"):
        named = {**_GAN_CHARTS, **{title: (key,) for key, title in distance_titles(record).items()}}
        drawn = [_curve(record, name, keys, "kimg") for name, keys in named.items()]
        if curves := charts_block(
            f"{record.name}, trained on {record.config.get('label') or 'every class'}", drawn
        ):
            blocks += [curves, _samples(record)]
    lead = (
        "Training curves of each generator, by kimg: thousands of real images shown to the discriminator. "
        "The kernel distance to held-out faces should fall and then level off; the augmentation "
        "probability p rises when the discriminator overfits. Near-copies: the share of synthetic faces "
        "as close to a training face as only the nearest 5% of held-out faces are, relative to the share "
        "expected by chance (1)."
    )
    return Section("generators", "Generator training", lead, blocks)


def distance_titles(record: RunRecord) -> dict[str, str]:
    """The names of a training's distances: FID and KID in Inception features only."""
    if record.config.get("metric_extractor") == "inception":
        return {"kernel_distance": "KID of each tick", "frechet_distance": "FID of each tick"}
    return {"kernel_distance": "Kernel distance", "frechet_distance": "Fréchet distance"}


def _samples(record: RunRecord) -> Gallery | None:
    """The same latents at some ticks from first to last."""
    sheets = sorted(record.folder.glob("samples/kimg-*.png"))
    chosen = sorted({round(place) for place in np.linspace(0, len(sheets) - 1, _SHEETS)}) if sheets else []
    cards = [
        (
            [(f"samples/{sheets[index].name}", "sheet of synthetic faces")],
            f"{float(sheets[index].stem.removeprefix('kimg-')):g} kimg",
        )
        for index in chosen
    ]
    return gallery("The same latents during training", record.folder, cards, 320)


def sweeps(pipeline: Pipeline) -> Section:
    """The trainings with each combination of settings, compared."""
    blocks: list[Block | None] = []
    for record in pipeline.of("sweep-gan"):
        result = SweepResult.load(record.folder / FILE)
        title = f"{record.name}: samples of each training"
        blocks += [
            _table(record, result),
            _ticks(record, result),
            sheet(record.folder / "sweep.png", title),
        ]
    lead = (
        "Generators that differ only in the settings shown, each measured at the tick that was kept. A "
        "training is not worse than the best if it lies within the standard error of the difference."
    )
    return Section("sweeps", "Hyperparameter sweep", lead, blocks)


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


def _ticks(record: RunRecord, result: SweepResult) -> Charts | None:
    """The distances of each training's ticks."""
    metrics = {row.run: RunRecord.load(record.folder / row.run).metrics for row in result.rows}
    drawn = [
        charts.lines(title, {run[3:]: series(rows, key) for run, rows in metrics.items()}, "kimg")
        for key, title in distance_titles(record).items()
    ]
    return charts_block(f"{record.name}: every tick", drawn)


def classifiers(pipeline: Pipeline) -> Section:
    drawn = [
        _curve(record, f"{record.name}: {measure}", (measure, f"val_{measure}"), "epoch")
        for record in pipeline.of("train-classifier")
        for measure in ("loss", "accuracy")
    ]
    lead = "Training curves. The epoch with the best score on the validation faces is kept."
    return Section("classifiers", "Classifier training", lead, (charts_block("", drawn),))


def _curve(record: RunRecord, title: str, keys: tuple[str, ...], unit: str) -> charts.Chart | None:
    return charts.lines(title, {key.replace("_", " "): series(record.metrics, key) for key in keys}, unit)


def series(rows: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) of every row that has the number, thinned to what a small chart can show."""
    points = [(row["step"], row[key]) for row in rows if isinstance(row.get(key), int | float)]
    if len(points) <= 240:
        return points
    return [points[index] for index in np.linspace(0, len(points) - 1, 240).astype(int)]
