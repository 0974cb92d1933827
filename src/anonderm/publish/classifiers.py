"""The report's sections on single classifiers: how well each does on test faces, and where it looks."""

from __future__ import annotations

import re

from anonderm.core.records import Scores
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Block,
    Charts,
    Matrix,
    Row,
    Section,
    Sheet,
    Table,
    compact,
    interval,
    picture_file,
    score_table,
)
from anonderm.publish.charts import Chart, Estimate, number
from anonderm.publish.runs import MAKERS, Material, faces_of, scores_of

_MEASURES = {
    "accuracy": "Accuracy",
    "macro_accuracy": "Mean accuracy",
    "macro_auc": "Macro AUC",
    "macro_f1": "Macro F1",
}
_OTHER_MEASURES = {
    "macro_precision": "Macro precision",
    "macro_recall": "Macro recall",
    "macro_mae": "Macro MAE (grades)",
    "quadratic_kappa": "Quadratic kappa",
    "count_mae": "Lesions miscounted",
}
_OF_EACH = {
    "f1": "F1 of each class or lesion type",
    "accuracy": "Accuracy of each lesion type",
    "auc": "AUC of each lesion type",
}
_MATRICES_IN_A_ROW = 2
_LOOKS = {"in_lesions": "heat inside lesions", "pointing": "hottest point at a lesion", "in_skin": "on skin"}
_FLOORS = {"": "synthetic", "/floor": "real", "/skin_floor": "c1"}
_SHEET_SIDE = 1280


def classifier_scores(material: Material) -> Section | None:
    """Every run of `evaluate classifier`, side by side."""
    scored = _scored(material, "evaluate classifier")
    if not scored:
        return None
    of_each = (_of_each(scored, key, title) for key, title in _OF_EACH.items())
    tables = [_overview(scored), _other_measures(scored), *of_each]
    blocks: list[Block] = [table for table in tables if len(table.columns) > 1]
    drawn = [
        Matrix(record.name, tuple(scores.details["classes"]), tuple(map(tuple, counts)), "real")
        for record, scores in scored
        if (counts := scores.details.get("confusion"))
    ]
    starts = range(0, len(drawn), _MATRICES_IN_A_ROW)
    blocks += [Row(tuple(drawn[start : start + _MATRICES_IN_A_ROW])) for start in starts]
    blocks += [score_table(f"All scores of {record.name}", s.scores, folded=True) for record, s in scored]
    lead = (
        "Each classifier on the test faces, which it has not met. Means with 95% intervals over people; what "
        "its network started from is said, as random weights are no match for published ones."
    )
    return Section("classifier-scores", "Classifiers compared", lead, tuple(blocks))


def _scored(material: Material, stage: str) -> list[tuple[RunRecord, Scores]]:
    found = ((record, scores_of(record)) for record in material.of(stage))
    return [(record, scores) for record, scores in found if scores]


def _overview(scored: list[tuple[RunRecord, Scores]]) -> Table:
    rows = tuple(
        (
            record.name,
            str(scores.details["backbone"]),
            str(scores.details["weights"] or ""),
            str(scores.details["trained_on"] or ""),
            *(_told(scores, key) for key in _MEASURES),
        )
        for record, scores in scored
    )
    numeric = tuple(_MEASURES.values())
    columns = ("Run", "Network", "Started from", "Learned from", *numeric)
    return compact(Table("Every classifier", columns, rows, frozenset(numeric)))


def _other_measures(scored: list[tuple[RunRecord, Scores]]) -> Table:
    rows = tuple((r.name, *(_told(scores, key) for key in _OTHER_MEASURES)) for r, scores in scored)
    columns = tuple(_OTHER_MEASURES.values())
    return compact(Table("Other measures", ("Run", *columns), rows, frozenset(columns)))


def _of_each(scored: list[tuple[RunRecord, Scores]], measure: str, title: str) -> Table:
    """A column a class or lesion type; none where nothing has this measure."""
    names = list(
        dict.fromkeys(
            key.partition("/")[2] for _, s in scored for key in s.scores if key.startswith(f"{measure}/")
        )
    )
    rows = tuple(
        (record.name, *(_told(scores, f"{measure}/{name}") for name in names)) for record, scores in scored
    )
    return Table(title, ("Run", *names), rows, frozenset(names))


def _told(scores: Scores, key: str) -> str:
    score = scores.scores.get(key)
    if score is None:
        return ""
    span = interval(score)
    return f"{number(score.value)} ({span})" if span else number(score.value)


def looks(material: Material) -> Section | None:
    """Every run of `evaluate saliency`."""
    scored = _scored(material, "evaluate saliency")
    if not scored:
        return None
    blocks: list[Block] = []
    for record, scores in scored:
        drawn = [chart for key in _LOOKS if (chart := _look(record, scores, key))]
        blocks += [Charts(f"{record.name}: Grad-CAM against chance", tuple(drawn))] if drawn else []
        blocks += _sheet(record, scores, material)
        blocks.append(score_table(f"All scores of {record.name}", scores.scores, folded=True))
    lead = (
        "Grad-CAM as a number: how much of the heat lies inside lesions or on the skin, and how often the "
        "hottest point lies at a lesion. The floor is a heat that knows nothing, the skin floor one that "
        "knows where the skin is and no more."
    )
    return Section("looks", "Where classifiers look", lead, tuple(blocks))


def _look(record: RunRecord, scores: Scores, measure: str) -> Chart | None:
    rows = []
    for name, score in scores.scores.items():
        match = re.fullmatch(rf"{measure}/([^/]+)(/floor|/skin_floor)?", name)
        if match and (match[1] == "all" or not match[2]):
            shown = match[1] + (match[2] or "").replace("/", ", ").replace("_", " ")
            rows.append(Estimate(shown, score.value, score.low, score.high, _FLOORS[match[2] or ""]))
    return charts.intervals(f"{record.name}: {_LOOKS[measure]}", rows, "share", (0.0, 1.0))


def _sheet(record: RunRecord, scores: Scores, material: Material) -> list[Block]:
    """The pictures, unless they are of people and this copy shows none."""
    drawn = {faces.digest for each in material.of(*MAKERS) if (faces := faces_of(each))}
    may_show = material.config.show_real or record.content["inputs"].get("faces") in drawn
    if not (scores.details["sheet"] and may_show):
        return []
    title = f"{record.name}: faces, and what spoke for their class"
    picture = picture_file(record.folder / scores.details["sheet"], title, _SHEET_SIDE)
    return [Sheet(title, picture)] if picture else []
