"""The report's section on lesions: what a detector finds on synthetic and on real faces, and how well."""

from __future__ import annotations

from typing import Any

from anonderm.core.records import Scores
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Gallery, Picture, Section, Table, picture_file, score_table
from anonderm.publish.charts import Chart, Estimate, number
from anonderm.publish.faces import series
from anonderm.publish.runs import Material

_PX = 256
_SETS = {
    "real, true": "real test, true boxes",
    "real": "real test, found",
    "train": "real train, found",
    "synthetic": "synthetic, found",
}


def lesions(material: Material) -> Section | None:
    compared, detector = material.scored("evaluate lesions"), material.scored("evaluate detector")
    blocks: list[Block] = []
    if compared:
        blocks += _compared(*compared, material)
    blocks += _learning(material)
    if detector:
        blocks += _detector(*detector, material)
    if not blocks:
        return None
    lead = (
        "Lesions as a detector finds them, on synthetic faces and on real test photos, so that it errs "
        "alike on both. The floor is what real photos of other people score: no synthetic set can be "
        "expected to beat it."
    )
    return Section("lesions", "Lesions", lead, tuple(blocks))


def _compared(record: RunRecord, scores: Scores, material: Material) -> list[Block]:
    values = scores.details["values"]
    sides = ("real", "synthetic")
    every = {side: [x for of_kind in values[side]["sizes"].values() for x in of_kind] for side in sides}
    places = {side: [(x, -y) for x, y in values[side]["places"]] for side in sides}
    drawn: list[Chart | None] = [
        charts.histogram("Lesions a face", {side: values[side]["counts"] for side in sides}, "lesions found"),
        charts.histogram("Size of a lesion", every, "percent of the picture's width"),
        charts.scatter("Where lesions lie", places, "percent of the picture's width", "A dot a lesion."),
        *(_against_floor(measure, scores) for measure in ("count", "size", "place")),
    ]
    shown = tuple(chart for chart in drawn if chart)
    return [
        Charts("", shown),
        _table(scores),
        *_galleries(record, scores, material),
        score_table("All scores of lesions", scores.scores, folded=True),
    ]


def _against_floor(measure: str, scores: Scores) -> Chart | None:
    """The distance for every class of face, all kinds of lesion together, beside its floor."""
    rows = []
    for label in scores.details["labels"]:
        for suffix, tone in (("", "synthetic"), ("/floor", "real")):
            if score := scores.scores.get(f"{measure}[all]/{label}{suffix}"):
                name = f"{label}, floor" if suffix else label
                rows.append(Estimate(name, score.value, score.low, score.high, tone))
    titles = {"count": "Distance in number", "size": "Distance in size", "place": "Distance in place"}
    return charts.intervals(titles[measure], rows, "lower is better")


def _table(scores: Scores) -> Table:
    sets = [name for name in _SETS if any(row["set"] == name for row in scores.details["table"])]
    by_part: dict[tuple[str, str], dict[str, str]] = {}
    for row in scores.details["table"]:
        by_part.setdefault((row["label"], row["kind"]), {})[row["set"]] = _mean_and_size(row)
    rows = tuple(
        (f"{label}, {kind}", *(cells.get(name, "") for name in sets))
        for (label, kind), cells in by_part.items()
    )
    columns = ("Faces, lesions", *(_SETS[name] for name in sets))
    caption = (
        "Mean number of lesions a face; in brackets their median size in percent of the picture's width."
    )
    return Table("Number and size", columns, rows, frozenset(columns[1:]), caption, folded=True)


def _mean_and_size(row: dict[str, Any]) -> str:
    if row["count"] is None:
        return ""
    return number(row["count"]) + (f" ({number(row['size'])})" if row["size"] is not None else "")


def _galleries(record: RunRecord, scores: Scores, material: Material) -> list[Block]:
    galleries: list[Block] = []
    for name in ("real", "synthetic") if material.config.show_real else ("synthetic",):
        entries = [entry for entry in scores.details["pictures"] if entry["set"] == name]
        alt = f"{name} face with boxes around the lesions found"
        found = [(entry, picture_file(record.folder / entry["file"], alt, _PX)) for entry in entries]
        cards = tuple((picture,) for _, picture in found if picture)
        captions = tuple(f"{e['label'] or 'unlabelled'}: {e['found']} found" for e, shown in found if shown)
        if cards:
            galleries.append(Gallery(f"Lesions found, {name}", cards, name, captions))
    return galleries


def _learning(material: Material) -> list[Block]:
    drawn: list[Chart | None] = []
    for record in material.of("train-detector"):
        curves = {
            "mAP50": series(record.metrics, "val_map50"),
            "mAP50-95": series(record.metrics, "val_map50_95"),
        }
        drawn.append(charts.lines(f"{record.name}: loss", {"loss": series(record.metrics, "loss")}, "step"))
        drawn.append(charts.lines(f"{record.name}: validation faces", curves, "step"))
    shown = tuple(chart for chart in drawn if chart)
    return [Charts("How the detector learned", shown)] if shown else []


def _detector(record: RunRecord, scores: Scores, material: Material) -> list[Block]:
    blocks: list[Block] = [score_table("The detector on real test faces", scores.scores)]
    cards: list[tuple[Picture, ...]] = []
    for entry in scores.details["pictures"] if material.config.show_real else ():
        pair = [
            picture_file(record.folder / entry[name], f"real test face, {name} boxes", _PX)
            for name in ("true", "found")
        ]
        if shown := tuple(picture for picture in pair if picture):
            cards.append(shown)
    if cards:
        blocks.append(Gallery("True boxes, and those found", tuple(cards), "real"))
    return blocks
