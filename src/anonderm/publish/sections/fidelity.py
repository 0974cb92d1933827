"""The report's section on fidelity: distances between synthetic faces and real test faces."""

from __future__ import annotations

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

Measure = Callable[[SetDistances], Score | None]

_KERNEL, _FRECHET, _FRECHET_INFINITY = "Kernel distance", "Fréchet distance", "Fréchet distance, extrapolated"
_MEASURES: dict[str, Measure] = {
    _KERNEL: lambda of: of.kernel,
    "Kernel distance, Gaussian": lambda of: of.rbf,
    "Precision": lambda of: of.precision,
    "Recall": lambda of: of.recall,
    "Density": lambda of: of.density,
    "Coverage": lambda of: of.coverage,
    _FRECHET: lambda of: of.frechet,
    _FRECHET_INFINITY: lambda of: of.frechet_infinity,
}
# Measures that have names of their own over some extractors, and the field that these stand under.
_FIELDS = {_KERNEL: "kernel", _FRECHET: "frechet", _FRECHET_INFINITY: "frechet_infinity"}


def fidelity(pipeline: Pipeline) -> Section | None:
    result = pipeline.result(FidelityResult)
    if result is None:
        return None
    extractors = result.extractors.items()
    drawn = [_chart(title, name, each) for title in _FIELDS for name, each in extractors]
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


def _title(measure: str, distances: ExtractorDistances) -> str:
    """The measure, by the name that the literature gives it over this extractor."""
    return distances.names.get(_FIELDS.get(measure, ""), measure)


def _chart(measure: str, extractor: str, distances: ExtractorDistances) -> Chart | None:
    """The distance of all faces and of each class, beside its baseline."""
    of = _MEASURES[measure]
    rows = charts.with_baselines(
        (name, of(part.synthetic), of(part.baseline)) for name, part in distances.parts.items()
    )
    caption = ""
    if measure == _FRECHET:
        caption = "Biased upwards in small sets: compare only with the baseline, which has as many faces."
    label = f"lower is better, {extractor} features"
    return charts.intervals(_title(measure, distances), rows, label, caption=caption)


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
        for measure, of in _MEASURES.items():
            synthetic, baseline = of(compared.synthetic), of(compared.baseline)
            if synthetic is not None or baseline is not None:
                better = "higher" if (synthetic or baseline).higher_is_better else "lower"  # type: ignore[union-attr]
                faces = f"{compared.compared:,} against {compared.reference:,}"
                values = (value_and_interval(synthetic), value_and_interval(baseline))
                rows.append((part, _title(measure, distances), *values, better, faces))
    columns = ("Faces", "Measure", "Synthetic", "Real-vs-real baseline", "Better", "Compared")
    title = f"All fidelity scores in {extractor} features"
    return compact(Table(title, columns, tuple(rows), frozenset(columns[2:4]), folded=True))
