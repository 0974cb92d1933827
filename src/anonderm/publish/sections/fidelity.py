"""The report's section on fidelity: distances between synthetic faces and real test faces."""

from collections.abc import Callable

from anonderm.core.results.base import Score
from anonderm.core.results.fidelity import ExtractorDistances, FidelityResult, Projection, SetDistances
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Section,
    Table,
    charts_block,
    compact,
    left_out_table,
    percent,
    value_and_interval,
)
from anonderm.publish.charts import Chart
from anonderm.publish.pipeline import Pipeline

# By field of SetDistances.
_Measure = Callable[[SetDistances], Score | None]
_MEASURES: dict[str, tuple[str, _Measure]] = {
    "kernel": ("Kernel distance", lambda of: of.kernel),
    "rbf": ("Kernel distance, Gaussian", lambda of: of.rbf),
    "precision": ("Precision", lambda of: of.precision),
    "recall": ("Recall", lambda of: of.recall),
    "density": ("Density", lambda of: of.density),
    "coverage": ("Coverage", lambda of: of.coverage),
    "frechet": ("Fréchet distance", lambda of: of.frechet),
    "frechet_infinity": ("Fréchet distance, extrapolated", lambda of: of.frechet_infinity),
}


def fidelity(pipeline: Pipeline) -> Section | None:
    result = pipeline.result(FidelityResult)
    if result is None:
        return None
    extractors = result.extractors.items()
    drawn = [
        _chart(measure, name, each)
        for measure in ("kernel", "frechet", "frechet_infinity")
        for name, each in extractors
    ]
    drawn += [_projection(name, each.projection) for name, each in extractors]
    tables = [_table(name, each) for name, each in extractors]
    lead = (
        "How close the synthetic faces are to real test photos in the feature space of a network. The "
        "baseline is the score of other real photos, those of the training split: no synthetic set can be "
        "expected to do better."
    )
    return Section(
        "fidelity", "Fidelity", lead, (charts_block("", drawn), *tables, left_out_table(result.left_out))
    )


def _chart(measure: str, extractor: str, distances: ExtractorDistances) -> Chart | None:
    """The distance of all faces and of each class, beside its baseline."""
    title, score = _MEASURES[measure]
    rows = charts.with_baselines(
        (name, score(part.synthetic), score(part.baseline)) for name, part in distances.parts.items()
    )
    caption = ""
    if measure == "frechet":
        caption = "Biased upwards in small sets: compare only with the baseline, which has as many faces."
    label = f"lower is better, {extractor} features"
    return charts.intervals(distances.names.get(measure, title), rows, label, caption=caption)


def _projection(extractor: str, projection: Projection) -> Chart | None:
    groups = {
        name: [(point.x, point.y) for point in projection.points if point.set == name]
        for name in ("real", "synthetic")
    }
    explained = " and ".join(percent(share) for share in projection.explained)
    caption = f"Each dot is a face. The two axes explain {explained} of the variance of real faces."
    return charts.scatter(f"Faces in {extractor} features", groups, "first principal axis", caption)


def _table(extractor: str, distances: ExtractorDistances) -> Table:
    rows = []
    for part, compared in distances.parts.items():
        for measure, (title, score) in _MEASURES.items():
            scores = [score(side) for side in (compared.synthetic, compared.baseline)]
            if known := [each for each in scores if each is not None]:
                better = "higher" if known[0].higher_is_better else "lower"
                faces = f"{compared.compared:,} against {compared.reference:,}"
                rows.append(
                    (
                        part,
                        distances.names.get(measure, title),
                        *map(value_and_interval, scores),
                        better,
                        faces,
                    )
                )
    columns = ("Faces", "Measure", "Synthetic", "Real-vs-real baseline", "Better", "Compared")
    title = f"All fidelity scores in {extractor} features"
    return compact(Table(title, columns, tuple(rows), frozenset(columns[2:4]), folded=True))
