"""The report's sections on single classifiers: their scores on test faces, and their saliency maps."""

from collections.abc import Callable, Mapping

from anonderm.core.results.base import Score
from anonderm.core.results.classifier import (
    ClassifierResult,
    LesionTypeScores,
    MapMeasure,
    MapMeasures,
    SaliencyResult,
)
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Block,
    Matrix,
    Section,
    Sheet,
    Table,
    charts_block,
    compact,
    in_rows,
    score_table,
    sheet,
    value_and_interval,
)
from anonderm.publish.charts import Chart
from anonderm.publish.pipeline import GENERATION, Pipeline, faces_of

Runs = list[tuple[RunRecord, ClassifierResult]]

_Map = Callable[[MapMeasures], MapMeasure | None]
_MAPS: dict[str, _Map] = {
    "heat inside lesions": lambda of: of.in_lesions,
    "maximum at a lesion (pointing game)": lambda of: of.pointing,
    "heat on the skin": lambda of: of.in_skin,
}
_TypeScore = Callable[[LesionTypeScores], Score | None]
_TYPE_SCORES: dict[str, _TypeScore] = {
    "F1": lambda of: of.f1,
    "Accuracy": lambda of: of.accuracy,
    "AUC": lambda of: of.auc,
}


def classifier_scores(pipeline: Pipeline) -> Section:
    """Every run of `evaluate classifier`, side by side."""
    runs = pipeline.all(ClassifierResult)
    f1 = {record.name: result.classification.f1 for record, result in runs if result.classification}
    by_class = _by_name("F1 of each class", f1)
    tables = [_main_measures(runs), _other_measures(runs), by_class, *_by_lesion_type(runs)]
    blocks: list[Block] = [table for table in tables if len(table.columns) > 1]
    blocks += in_rows(
        [Matrix(record.name, result.confusion, "real") for record, result in runs if result.confusion]
    )
    blocks += [
        score_table(f"All scores of {record.name}", result.scores(), folded=True) for record, result in runs
    ]
    lead = (
        "Each classifier on held-out test faces, with 95% intervals over people. The table states what each "
        "network was initialised with, because random weights cannot match pretrained ones."
    )
    return Section("classifier-scores", "Classifiers", lead, blocks)


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


def _by_lesion_type(runs: Runs) -> list[Table]:
    found = {record.name: result.multi_label.types for record, result in runs if result.multi_label}
    return [
        _by_name(
            f"{title} of each lesion type",
            {run: {kind: score(of) for kind, of in types.items()} for run, types in found.items()},
        )
        for title, score in _TYPE_SCORES.items()
    ]


def _by_name(title: str, scores: Mapping[str, Mapping[str, Score | None]]) -> Table:
    """A row for each run, a column for each class or lesion type."""
    names = list(dict.fromkeys(name for of_run in scores.values() for name in of_run))
    rows = tuple(
        (run, *(value_and_interval(of_run.get(name)) for name in names)) for run, of_run in scores.items()
    )
    return Table(title, ("Run", *names), rows, frozenset(names))


def saliency(pipeline: Pipeline) -> Section:
    """Every run of `evaluate saliency`."""
    blocks: list[Block | None] = []
    for record, result in pipeline.all(SaliencyResult):
        drawn = [_map_chart(title, of, record, result) for title, of in _MAPS.items()]
        blocks += [
            charts_block(f"{record.name}: Grad-CAM beside its baselines", drawn),
            _sheet(record, result, pipeline),
            score_table(f"All scores of {record.name}", result.scores(), folded=True),
        ]
    lead = (
        "Grad-CAM in numbers: the share of the heat inside lesion boxes or on the skin, and how often the "
        "maximum lies at a lesion. The baseline is a uniform map; the skin baseline is uniform on the "
        "skin and zero elsewhere."
    )
    return Section("saliency", "Saliency", lead, blocks)


def _map_chart(title: str, of: _Map, record: RunRecord, result: SaliencyResult) -> Chart | None:
    rows: list[tuple[str, Score | None, str]] = []
    for group, measures in result.groups.items():
        measure = of(measures)
        if measure is None:
            continue
        rows.append((group, measure.value, "synthetic"))
        if group == "all":
            rows.append(("all, baseline", measure.baseline, "real"))
            rows.append(("all, skin baseline", measure.skin_baseline, "c1"))
    return charts.intervals(f"{record.name}: {title}", charts.estimates(rows), "share", (0.0, 1.0))


def _sheet(record: RunRecord, result: SaliencyResult, pipeline: Pipeline) -> Sheet | None:
    """The picture sheet, unless it shows real people and real photos are to be left out."""
    generated = {faces.digest for each in pipeline.of(*GENERATION) if (faces := faces_of(each))}
    may_show = pipeline.config.show_real or record.content["inputs"].get("faces") in generated
    if result.sheet is None or not may_show:
        return None
    return sheet(record.folder / result.sheet, f"{record.name}: faces beside their Grad-CAM maps")
