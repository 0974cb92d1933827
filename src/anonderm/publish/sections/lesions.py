"""The report's section on lesions: those detected on synthetic and on real faces, and how accurately."""

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
from anonderm.publish.blocks import Block, Charts, Gallery, Section, Table, charts_block, gallery, score_table
from anonderm.publish.charts import Chart, number
from anonderm.publish.pipeline import Pipeline
from anonderm.publish.sections.training import series

_PX = 256
_Distance = Callable[[LesionDistances], Score | None]
_DISTANCES: dict[str, _Distance] = {
    "Distance in number": lambda of: of.count,
    "Distance in size": lambda of: of.size,
    "Distance in place": lambda of: of.place,
}
_Statistics = Callable[[LesionPart], LesionStatistics | None]
_SETS: dict[str, _Statistics] = {
    "real test, true boxes": lambda part: part.test_boxes,
    "real test, detected": lambda part: part.test,
    "real train, detected": lambda part: part.train,
    "synthetic, detected": lambda part: part.generated,
}


def lesions(pipeline: Pipeline) -> Section:
    compared, detector = pipeline.last(LesionFidelityResult), pipeline.last(DetectorResult)
    blocks = [
        *(_compared(*compared, pipeline) if compared else []),
        _training_curves(pipeline),
        *(_detector(*detector, pipeline) if detector else []),
    ]
    lead = (
        "Lesions found by a detector on synthetic faces and on real test photos, with the same errors on "
        "both. The baseline is the score of real photos of other people: no synthetic set can be expected "
        "to do better."
    )
    return Section("lesions", "Lesions", lead, blocks)


def _compared(record: RunRecord, result: LesionFidelityResult, pipeline: Pipeline) -> list[Block | None]:
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
        *(_distance_chart(title, distance, result) for title, distance in _DISTANCES.items()),
    ]
    return [
        charts_block("", drawn),
        _table(result),
        _gallery(record, result, "real") if pipeline.config.show_real else None,
        _gallery(record, result, "synthetic"),
        score_table("All lesion scores", result.scores(), folded=True),
    ]


def _distance_chart(title: str, distance: _Distance, result: LesionFidelityResult) -> Chart | None:
    """The distance for each class of faces, all kinds of lesions together, beside its baseline."""
    parts = ((label, by_kind[ALL]) for label, by_kind in result.parts.items())
    rows = charts.with_baselines(
        (label, distance(part.synthetic), distance(part.baseline)) for label, part in parts
    )
    return charts.intervals(title, rows, "lower is better")


def _table(result: LesionFidelityResult) -> Table:
    parts = [
        (f"{label}, {kind}", part)
        for label, by_kind in result.parts.items()
        for kind, part in by_kind.items()
    ]
    sets = {title: of for title, of in _SETS.items() if any(of(part) for _, part in parts)}
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


def _gallery(
    record: RunRecord, result: LesionFidelityResult, name: Literal["real", "synthetic"]
) -> Gallery | None:
    alt = f"{name} face with boxes around the detected lesions"
    cards = [
        ([(each.file, alt)], f"{each.label or 'unlabelled'}: {each.found} detected")
        for each in result.pictures
        if each.set == name
    ]
    return gallery(f"Lesions detected, {name}", record.folder, cards, _PX, name)


def _training_curves(pipeline: Pipeline) -> Charts | None:
    drawn: list[Chart | None] = []
    for record in pipeline.of("train-detector"):
        curves = {
            "mAP50": series(record.metrics, "val_map50"),
            "mAP50-95": series(record.metrics, "val_map50_95"),
        }
        drawn.append(charts.lines(f"{record.name}: loss", {"loss": series(record.metrics, "loss")}, "step"))
        drawn.append(charts.lines(f"{record.name}: validation faces", curves, "step"))
    return charts_block("Training of the detector", drawn)


def _detector(record: RunRecord, result: DetectorResult, pipeline: Pipeline) -> list[Block | None]:
    alt = "real test face, {} boxes"
    pictures = result.pictures if pipeline.config.show_real else ()
    cards = [
        ([(each.true, alt.format("true")), (each.found, alt.format("detected"))], "") for each in pictures
    ]
    return [
        score_table("The detector on real test faces", result.scores()),
        gallery("True and detected boxes", record.folder, cards, _PX, "real"),
    ]
