"""The report's section on lesions: those detected on synthetic and on real faces, and how accurately."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from anonderm.core.results.base import Score
from anonderm.core.results.lesions import (
    ALL,
    DetectorResult,
    LesionDistances,
    LesionFidelityResult,
    LesionPart,
    LesionStatistics,
)
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Gallery, Picture, Section, Table, picture_file, score_table
from anonderm.publish.charts import Chart, Estimate, number
from anonderm.publish.pipeline import Pipeline
from anonderm.publish.sections.training import series

_PX = 256
_DISTANCES: dict[str, Callable[[LesionDistances], Score | None]] = {
    "Distance in number": lambda of: of.count,
    "Distance in size": lambda of: of.size,
    "Distance in place": lambda of: of.place,
}
_SETS: dict[str, Callable[[LesionPart], LesionStatistics | None]] = {
    "real test, true boxes": lambda of: of.test_boxes,
    "real test, detected": lambda of: of.test,
    "real train, detected": lambda of: of.train,
    "synthetic, detected": lambda of: of.generated,
}


def lesions(pipeline: Pipeline) -> Section | None:
    compared, detector = pipeline.last(LesionFidelityResult), pipeline.last(DetectorResult)
    blocks: list[Block] = []
    if compared:
        blocks += _compared(*compared, pipeline)
    blocks += _training_curves(pipeline)
    if detector:
        blocks += _detector(*detector, pipeline)
    if not blocks:
        return None
    lead = (
        "Lesions found by a detector on synthetic faces and on real test photos, with the same errors on "
        "both. The baseline is the score of real photos of other people: no synthetic set can be expected "
        "to do better."
    )
    return Section("lesions", "Lesions", lead, tuple(blocks))


def _compared(record: RunRecord, result: LesionFidelityResult, pipeline: Pipeline) -> list[Block]:
    sides = {"real": result.real, "synthetic": result.synthetic}
    counts = {side: values.counts for side, values in sides.items()}
    sizes = {
        side: [size for of_kind in values.sizes.values() for size in of_kind]
        for side, values in sides.items()
    }
    places = {side: [(x, -y) for x, y in values.places] for side, values in sides.items()}
    drawn: list[Chart | None] = [
        charts.histogram("Lesions per face", counts, "lesions detected"),
        charts.histogram("Lesion size", sizes, "percent of the picture's width"),
        charts.scatter("Lesion locations", places, "percent of the picture's width", "Each dot is a lesion."),
        *(_distance_chart(title, result) for title in _DISTANCES),
    ]
    galleries = (_gallery(record, result, name) for name in _shown_sets(pipeline))
    return [
        Charts("", tuple(chart for chart in drawn if chart)),
        _table(result),
        *(gallery for gallery in galleries if gallery),
        score_table("All lesion scores", result.scores(), folded=True),
    ]


def _distance_chart(title: str, result: LesionFidelityResult) -> Chart | None:
    """The distance for each class of faces, all kinds of lesions together, beside its baseline."""
    rows = []
    for label, by_kind in result.parts.items():
        part = by_kind[ALL]
        for name, distances, tone in (
            (label, part.synthetic, "synthetic"),
            (f"{label}, baseline", part.baseline, "real"),
        ):
            if (score := _DISTANCES[title](distances)) is not None:
                rows.append(Estimate.of(name, score, tone))
    return charts.intervals(title, rows, "lower is better")


def _table(result: LesionFidelityResult) -> Table:
    parts = [
        (f"{label}, {kind}", part)
        for label, by_kind in result.parts.items()
        for kind, part in by_kind.items()
    ]
    sets = {name: of for name, of in _SETS.items() if any(of(part) for _, part in parts)}
    rows = tuple((name, *(_mean_and_size(of(part)) for of in sets.values())) for name, part in parts)
    columns = ("Faces, lesions", *sets)
    caption = (
        "Mean number of lesions per face; in brackets, their median size in percent of the picture's width."
    )
    return Table("Number and size", columns, rows, frozenset(columns[1:]), caption, folded=True)


def _mean_and_size(statistics: LesionStatistics | None) -> str:
    if statistics is None or statistics.count is None:
        return ""
    return number(statistics.count) + (f" ({number(statistics.size)})" if statistics.size is not None else "")


def _shown_sets(pipeline: Pipeline) -> tuple[Literal["real", "synthetic"], ...]:
    return ("real", "synthetic") if pipeline.config.show_real else ("synthetic",)


def _gallery(
    record: RunRecord, result: LesionFidelityResult, name: Literal["real", "synthetic"]
) -> Gallery | None:
    cards, captions = [], []
    for each in result.pictures:
        alt = f"{name} face with boxes around the detected lesions"
        if each.set == name and (picture := picture_file(record.folder / each.file, alt, _PX)):
            cards.append((picture,))
            captions.append(f"{each.label or 'unlabelled'}: {each.found} detected")
    return Gallery(f"Lesions detected, {name}", tuple(cards), name, tuple(captions)) if cards else None


def _training_curves(pipeline: Pipeline) -> list[Block]:
    drawn: list[Chart | None] = []
    for record in pipeline.of("train-detector"):
        curves = {
            "mAP50": series(record.metrics, "val_map50"),
            "mAP50-95": series(record.metrics, "val_map50_95"),
        }
        drawn.append(charts.lines(f"{record.name}: loss", {"loss": series(record.metrics, "loss")}, "step"))
        drawn.append(charts.lines(f"{record.name}: validation faces", curves, "step"))
    shown = tuple(chart for chart in drawn if chart)
    return [Charts("Training of the detector", shown)] if shown else []


def _detector(record: RunRecord, result: DetectorResult, pipeline: Pipeline) -> list[Block]:
    blocks: list[Block] = [score_table("The detector on real test faces", result.scores())]
    cards: list[tuple[Picture, ...]] = []
    for each in result.pictures if pipeline.config.show_real else ():
        pair = [
            picture_file(record.folder / file, f"real test face, {name} boxes", _PX)
            for name, file in (("true", each.true), ("detected", each.found))
        ]
        if shown := tuple(picture for picture in pair if picture):
            cards.append(shown)
    if cards:
        blocks.append(Gallery("True and detected boxes", tuple(cards), "real"))
    return blocks
