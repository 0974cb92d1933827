"""The report's sections on single classifiers: their scores on test faces, and their saliency maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from anonderm.core.results.base import Score
from anonderm.core.results.classifier import ClassifierResult, MapMeasure, MapMeasures, SaliencyResult
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Block,
    Charts,
    Section,
    Sheet,
    Table,
    compact,
    in_rows,
    matrix,
    picture_file,
    score_table,
    value_and_interval,
)
from anonderm.publish.charts import Chart, Estimate
from anonderm.publish.pipeline import GENERATION, Pipeline, faces_of

Runs = list[tuple[RunRecord, ClassifierResult]]

_MAPS: dict[str, Callable[[MapMeasures], MapMeasure | None]] = {
    "heat inside lesions": lambda of: of.in_lesions,
    "maximum at a lesion (pointing game)": lambda of: of.pointing,
    "heat on the skin": lambda of: of.in_skin,
}
_SHEET_SIDE = 1280


def classifier_scores(pipeline: Pipeline) -> Section | None:
    """Every run of `evaluate classifier`, side by side."""
    runs = pipeline.all(ClassifierResult)
    if not runs:
        return None
    tables = [_main_measures(runs), _other_measures(runs), *_by_class(runs), *_by_lesion_type(runs)]
    blocks: list[Block] = [table for table in tables if len(table.columns) > 1]
    blocks += in_rows(
        [matrix(record.name, result.confusion, "real") for record, result in runs if result.confusion]
    )
    blocks += [
        score_table(f"All scores of {record.name}", result.scores(), folded=True) for record, result in runs
    ]
    lead = (
        "Each classifier on held-out test faces, with 95% intervals over people. The table states what each "
        "network was initialised with, because random weights cannot match pretrained ones."
    )
    return Section("classifier-scores", "Classifiers", lead, tuple(blocks))


def _main_measures(runs: Runs) -> Table:
    measures = ("Accuracy", "Mean accuracy of types", "Macro AUC", "Macro F1")
    rows = []
    for record, result in runs:
        whole, types = result.classification, result.multi_label
        scores: tuple[Score | None, ...] = (None, None, None, None)
        if whole is not None:
            scores = (whole.accuracy, None, None, whole.macro_f1)
        elif types is not None:
            scores = (None, types.macro_accuracy, types.macro_auc, types.macro_f1)
        about = (record.name, result.backbone, result.weights or "", result.trained_on or "")
        rows.append((*about, *map(value_and_interval, scores)))
    columns = ("Run", "Network", "Initialised with", "Trained on", *measures)
    return compact(Table("Main measures", columns, tuple(rows), frozenset(measures)))


def _other_measures(runs: Runs) -> Table:
    measures = (
        "Macro precision",
        "Macro recall",
        "Macro MAE (grades)",
        "Quadratic kappa",
        "MAE of the lesion count",
    )
    rows = []
    for record, result in runs:
        scores: tuple[Score | None, ...] = (None, None, None, None)
        if (whole := result.classification) is not None:
            scores = (whole.macro_precision, whole.macro_recall, whole.macro_mae, whole.quadratic_kappa)
        rows.append((record.name, *map(value_and_interval, (*scores, result.count_mae))))
    return compact(Table("Other measures", ("Run", *measures), tuple(rows), frozenset(measures)))


def _by_class(runs: Runs) -> list[Table]:
    found = {record.name: result.classification.f1 for record, result in runs if result.classification}
    return [_by_name("F1 of each class", found)]


def _by_lesion_type(runs: Runs) -> list[Table]:
    found = {record.name: result.multi_label.types for record, result in runs if result.multi_label}
    measures: dict[str, dict[str, dict[str, Score | None]]] = {
        "F1 of each lesion type": {run: {k: v.f1 for k, v in types.items()} for run, types in found.items()},
        "Accuracy of each lesion type": {
            run: {k: v.accuracy for k, v in types.items()} for run, types in found.items()
        },
        "AUC of each lesion type": {
            run: {k: v.auc for k, v in types.items()} for run, types in found.items()
        },
    }
    return [_by_name(title, scores) for title, scores in measures.items()]


def _by_name(title: str, scores: Mapping[str, Mapping[str, Score | None]]) -> Table:
    """A row for each run, a column for each class or lesion type."""
    names = list(dict.fromkeys(name for of_run in scores.values() for name in of_run))
    rows = tuple(
        (run, *(value_and_interval(of_run.get(name)) for name in names)) for run, of_run in scores.items()
    )
    return Table(title, ("Run", *names), rows, frozenset(names))


def saliency(pipeline: Pipeline) -> Section | None:
    """Every run of `evaluate saliency`."""
    blocks: list[Block] = []
    for record, result in pipeline.all(SaliencyResult):
        drawn = [chart for title in _MAPS if (chart := _map_chart(title, record, result))]
        blocks += [Charts(f"{record.name}: Grad-CAM beside its baselines", tuple(drawn))] if drawn else []
        blocks += _sheet(record, result, pipeline)
        blocks.append(score_table(f"All scores of {record.name}", result.scores(), folded=True))
    if not blocks:
        return None
    lead = (
        "Grad-CAM in numbers: the share of the heat inside lesion boxes or on the skin, and how often the "
        "maximum lies at a lesion. The baseline is a uniform map; the skin baseline is uniform on the "
        "skin and zero elsewhere."
    )
    return Section("saliency", "Saliency", lead, tuple(blocks))


def _map_chart(title: str, record: RunRecord, result: SaliencyResult) -> Chart | None:
    rows = []
    for group, measures in result.groups.items():
        if (measure := _MAPS[title](measures)) is None:
            continue
        rows.append(Estimate.of(group, measure.value, "synthetic"))
        if group == "all":
            rows.append(Estimate.of("all, baseline", measure.baseline, "real"))
            if measure.skin_baseline is not None:
                rows.append(Estimate.of("all, skin baseline", measure.skin_baseline, "c1"))
    return charts.intervals(f"{record.name}: {title}", rows, "share", (0.0, 1.0))


def _sheet(record: RunRecord, result: SaliencyResult, pipeline: Pipeline) -> list[Block]:
    """The picture sheet, unless it shows real people and real photos are to be left out."""
    generated = {faces.digest for each in pipeline.of(*GENERATION) if (faces := faces_of(each))}
    may_show = pipeline.config.show_real or record.content["inputs"].get("faces") in generated
    if result.sheet is None or not may_show:
        return []
    title = f"{record.name}: faces beside their Grad-CAM maps"
    picture = picture_file(record.folder / result.sheet, title, _SHEET_SIDE)
    return [Sheet(title, picture)] if picture else []
