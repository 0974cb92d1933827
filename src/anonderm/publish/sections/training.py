"""The report's sections on training: curves of the generators and the classifiers."""

from __future__ import annotations

from typing import Any

import numpy as np

from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Gallery, Section, cards, picture_file
from anonderm.publish.pipeline import Pipeline

_SHEETS = 4
_GAN_CHARTS = {
    "Losses": ("loss_g", "loss_d"),
    "Augmentation": ("ada_p", "ada_sign"),
    "Near-copies of training faces": ("near_copy_ratio",),
}


def generators(pipeline: Pipeline) -> Section | None:
    blocks: list[Block] = []
    for record in pipeline.of("train-gan"):
        named = {**_GAN_CHARTS, **{title: (key,) for key, title in distance_titles(record).items()}}
        drawn = [chart for name, keys in named.items() if (chart := _curve(record, name, keys, "kimg"))]
        if drawn:
            blocks += [Charts(f"{record.name}{_trained_on(record)}", tuple(drawn)), *_samples(record)]
    if not blocks:
        return None
    lead = (
        "Training curves of each generator, by kimg: thousands of real images shown to the discriminator. "
        "The kernel distance to held-out faces should fall and then level off; the augmentation "
        "probability p rises when the discriminator overfits. Near-copies: the share of synthetic faces "
        "as close to a training face as only the nearest 5% of held-out faces are, relative to the share "
        "expected by chance (1)."
    )
    return Section("generators", "Generator training", lead, tuple(blocks))


def distance_titles(record: RunRecord) -> dict[str, str]:
    """The names of a training's distances: FID and KID in Inception features only."""
    if record.config.get("metric_extractor") == "inception":
        return {"kernel_distance": "KID of each tick", "frechet_distance": "FID of each tick"}
    return {"kernel_distance": "Kernel distance", "frechet_distance": "Fréchet distance"}


def _samples(record: RunRecord) -> list[Block]:
    """The same latents at some ticks from first to last."""
    sheets = sorted(record.folder.glob("samples/kimg-*.png"))
    chosen = sorted({round(place) for place in np.linspace(0, len(sheets) - 1, _SHEETS)}) if sheets else []
    pictures = [picture_file(sheets[index], "sheet of synthetic faces", 320) for index in chosen]
    captions = tuple(f"{float(sheets[index].stem.removeprefix('kimg-')):g} kimg" for index in chosen)
    shown = cards([picture for picture in pictures if picture])
    return [Gallery("The same latents during training", shown, "", captions)] if shown else []


def _trained_on(record: RunRecord) -> str:
    label = record.config.get("label")
    return f", trained on {label}" if label else ", trained on every class"


def classifiers(pipeline: Pipeline) -> Section | None:
    drawn = []
    for record in pipeline.of("train-classifier"):
        for measure in ("loss", "accuracy"):
            chart = _curve(record, f"{record.name}: {measure}", (measure, f"val_{measure}"), "epoch")
            drawn += [chart] if chart else []
    if not drawn:
        return None
    lead = "Training curves. The epoch with the best score on the validation faces is kept."
    return Section("classifiers", "Classifier training", lead, (Charts("", tuple(drawn)),))


def _curve(record: RunRecord, title: str, keys: tuple[str, ...], unit: str) -> charts.Chart | None:
    return charts.lines(title, {key.replace("_", " "): series(record.metrics, key) for key in keys}, unit)


def series(rows: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) of every row that has the number, thinned to what a small chart can show."""
    points = [(row["step"], row[key]) for row in rows if isinstance(row.get(key), int | float)]
    if len(points) <= 240:
        return points
    return [points[index] for index in np.linspace(0, len(points) - 1, 240).astype(int)]
