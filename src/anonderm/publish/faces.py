"""The report's sections on faces and on training; a function gives None where its runs are missing."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Bar,
    Bars,
    Block,
    Charts,
    Gallery,
    Picture,
    Row,
    Section,
    cards,
    face_pictures,
    percent,
    picture_file,
)
from anonderm.publish.runs import MAKERS, Material, faces_of

_EXAMPLES = 8
_SHEETS = 4


def faces(material: Material) -> Section | None:
    """Sample grids of each class, synthetic beside real."""
    rows = tuple(Row(galleries) for label in material.labels if (galleries := _beside(material, label)))
    if not rows:
        return None
    lead = "Drawn at random, not chosen: the same number of each class, synthetic faces beside the photos."
    if not material.config.show_real:
        lead = "Drawn at random, not chosen. Real photos are left out of this copy."
    return Section("faces", "Faces", lead, rows)


def _beside(material: Material, label: str) -> tuple[Block, ...]:
    shown = [("synthetic", material.synthetic)]
    if material.config.show_real:
        shown.insert(0, ("real", material.photos))
    galleries = []
    for tone, every in shown:
        of_label = every.where(label=label) if every is not None else None
        if of_label:
            alt = f"{tone} face"
            pictures = face_pictures(of_label, material.config.faces_per_class, alt, material.rng())
            galleries.append(Gallery(f"{label}, {tone}", cards(pictures), tone))
    return tuple(galleries)


def funnel(material: Material) -> Section | None:
    """What became of the generated faces: how many each step put aside, and why."""
    blocks = [block for record in material.of(*MAKERS) for block in _steps(record, material)]
    if not blocks:
        return None
    lead = "Every generated face, step by step, with some of those that were put aside for each reason."
    return Section("funnel", "From generator to data set", lead, tuple(blocks))


def _steps(record: RunRecord, material: Material) -> list[Block]:
    kept, rejected = faces_of(record), faces_of(record, "rejected")
    total = len(kept or ()) + len(rejected or ())
    if not total:
        return []
    verb = "generated" if record.stage == "generate" else "kept"
    bars = [Bar(verb, _of(len(kept or ()), total), len(kept or ()) / total, "synthetic")]
    for code, faces_of_code in _by_reason(rejected).items():
        examples: tuple[Picture, ...] = ()
        if material.config.show_real or not _resembles_a_photo(code):
            examples = face_pictures(faces_of_code, _EXAMPLES, f"put aside, {code}", material.rng())
        bars.append(Bar(code, _of(len(faces_of_code), total), len(faces_of_code) / total, "", examples))
    blocks: list[Block] = [Bars(f"{record.name} ({record.stage})", tuple(bars), _by_class(kept))]
    chart = _confidence(kept, rejected) if record.stage == "grade" else None
    return [*blocks, chart] if chart else blocks


def _by_reason(rejected: FaceSet | None) -> dict[str, FaceSet]:
    """The rejected faces by the code that starts their reason, most frequent first."""
    ids: dict[str, list[str]] = defaultdict(list)
    for face in rejected or ():
        ids[(face.reason or "no reason").partition(":")[0]].append(face.id)
    ordered = sorted(ids.items(), key=lambda item: -len(item[1]))
    return {code: rejected.where(ids=set(found)) for code, found in ordered} if rejected else {}


def _resembles_a_photo(code: str) -> bool:
    return any(word in code for word in ("copy", "copies", "training", "memor"))


def _of(count: int, total: int) -> str:
    return f"{count:,} ({percent(count / total)})"


def _by_class(kept: FaceSet | None) -> str:
    counts = kept.label_counts if kept else {}
    named = ", ".join(f"{count:,} {label}" for label, count in counts.items())
    return f"By class: {named}" if named else ""


def _confidence(kept: FaceSet | None, rejected: FaceSet | None) -> charts.Chart | None:
    def known(faces: FaceSet | None) -> list[float]:
        return [face.confidence for face in faces or () if face.confidence is not None]

    groups = {"kept": known(kept), "put aside": known(rejected)}
    title = "How sure the grader was of the class"
    return charts.histogram(title, groups, "probability of the chosen class", within=(0.0, 1.0))


def generators(material: Material) -> Section | None:
    runs = material.of("train-gan")
    blocks: list[Block] = []
    for record in runs:
        named = {**_GAN_CHARTS, **{title: (key,) for key, title in distance_titles(record).items()}}
        drawn = [chart for name, keys in named.items() if (chart := _curve(record, name, keys, "kimg"))]
        if drawn:
            blocks += [Charts(f"{record.name}{_trained_on(record)}", tuple(drawn)), *_progress(record)]
    if not blocks:
        return None
    lead = (
        "Training curves of each generator. kimg: thousands of faces shown to the discriminator. The kernel "
        "distance to faces kept out of training should fall and then stay; the augmentation p rises when the "
        "discriminator begins to know its faces by heart. Near-copies: the share of synthetic faces as close "
        "to a training face as only the nearest 5% of kept-out faces are, over what is to be expected (1)."
    )
    return Section("generators", "Generators", lead, tuple(blocks))


_GAN_CHARTS = {
    "Losses": ("loss_g", "loss_d"),
    "Augmentation": ("ada_p", "ada_sign"),
    "Near-copies of training faces": ("near_copy_ratio",),
}


def distance_titles(record: RunRecord) -> dict[str, str]:
    """What the distances of a training's ticks are called: FID and KID in Inception's features alone."""
    if record.config.get("metric_extractor") == "inception":
        return {"kernel_distance": "KID of each tick", "frechet_distance": "FID of each tick"}
    return {"kernel_distance": "Kernel distance", "frechet_distance": "Fréchet distance"}


def _progress(record: RunRecord) -> list[Block]:
    """The same latents drawn at some ticks from first to last."""
    sheets = sorted(record.folder.glob("samples/kimg-*.png"))
    chosen = sorted({round(place) for place in np.linspace(0, len(sheets) - 1, _SHEETS)}) if sheets else []
    pictures = [picture_file(sheets[index], "sheet of synthetic faces", 320) for index in chosen]
    captions = tuple(f"{float(sheets[index].stem.removeprefix('kimg-')):g} kimg" for index in chosen)
    shown = cards([picture for picture in pictures if picture])
    return [Gallery("The same faces as training went on", shown, "", captions)] if shown else []


def _trained_on(record: RunRecord) -> str:
    only = record.config.get("label")
    return f", trained on {only}" if only else ", trained on every class"


def classifiers(material: Material) -> Section | None:
    drawn = []
    for record in material.of("train-classifier"):
        for measure in ("loss", "accuracy"):
            chart = _curve(record, f"{record.name}: {measure}", (measure, f"val_{measure}"), "epoch")
            drawn += [chart] if chart else []
    if not drawn:
        return None
    lead = "Training curves. The epoch kept is the one that did best on the validation faces."
    return Section("classifiers", "Classifiers", lead, (Charts("", tuple(drawn)),))


def _curve(record: RunRecord, title: str, keys: tuple[str, ...], unit: str) -> charts.Chart | None:
    return charts.lines(title, {key.replace("_", " "): series(record.metrics, key) for key in keys}, unit)


def series(rows: list[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) of every row that has the number, thinned to what a small chart can show."""
    points = [(row["step"], row[key]) for row in rows if isinstance(row.get(key), int | float)]
    if len(points) <= 240:
        return points
    return [points[index] for index in np.linspace(0, len(points) - 1, 240).astype(int)]
