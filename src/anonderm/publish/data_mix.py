"""The report's section on the data-mix study: what each mix of real and synthetic faces teaches."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from anonderm.core.records import Scores
from anonderm.core.results.base import Score
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Matrix, Row, Section, Table, compact, interval, score_table
from anonderm.publish.charts import Chart, Estimate, number
from anonderm.publish.runs import Material

_MEASURES = {
    "accuracy": "Accuracy",
    "macro_f1": "Macro F1",
    "quadratic_kappa": "Quadratic kappa",
    "macro_mae": "Macro MAE (grades)",
}
_CURVES = {
    "loss": "Loss on the training faces",
    "val_loss": "Loss on the validation faces",
    "accuracy": "Accuracy on the training faces",
    "val_accuracy": "Accuracy on the validation faces",
}
_CELLS = ("trtr", "trts", "tstr", "tsts")
_TONES = ("light", "medium", "dark")
_MATRICES_IN_A_ROW = 2


def mixes(material: Material) -> Section | None:
    found = material.scored("evaluate data-mix")
    if found is None:
        return None
    record, scores = found
    blocks: list[Block] = [_arms(scores)]
    drawn = [chart for chart in (_differences(scores), _accuracies(scores), _ratios(scores)) if chart]
    blocks += [Charts("", tuple(drawn))] if drawn else []
    blocks.append(_other_measures(scores))
    blocks += _by_tone(scores)
    blocks += _matrices(scores)
    curves = [chart for key, title in _CURVES.items() if (chart := _curve(record, scores, key, title))]
    blocks += [Charts("Training curves, one line an arm", tuple(curves))] if curves else []
    blocks.append(score_table("All scores of the data-mix study", scores.scores, folded=True))
    held = "as many optimiser steps" if scores.details["lengths"] == "steps" else "as many epochs"
    lead = (
        "One classifier, trained on real faces (TRTR), on synthetic faces alone (TSTR) and on mixes of both, "
        f"each {_times(scores.details['seeds'])} and over {held}; all tested on the same real people, whom "
        "no training has met (TRTS and TSTS: on synthetic faces that were held back). A difference is taken "
        "over the same people: its interval, not the overlap of two others, says whether an arm is better."
    )
    return Section("data-mix", "What each mix of faces teaches", lead, tuple(blocks))


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _rows(scores: Scores) -> list[tuple[str, dict[str, Any], str]]:
    """The name of each arm and test set, what is known of the arm, and what it was tested on."""
    return [(key, arm, tested) for arm in scores.details["arms"] for tested, key in arm["scores"].items()]


def _tone(arm: dict[str, Any]) -> str:
    return "real" if not arm["synthetic"] else "synthetic" if not arm["real"] else "c1"


def _arms(scores: Scores) -> Table:
    rows = []
    for key, arm, tested in _rows(scores):
        counts = (f"{arm[kind]:,}" if arm[kind] else "" for kind in ("real", "synthetic"))
        apart = scores.scores.get(f"{key}_minus_trtr/accuracy")
        told = (_told(scores.scores.get(f"{key}/accuracy")), _told(apart))
        rows.append((_shown(key), arm["told"], *counts, tested, *told))
    numeric = ("Real", "Synthetic", "Accuracy", "Accuracy less TRTR")
    columns = ("Arm", "Learned from", "Real", "Synthetic", "Tested on", *numeric[2:])
    caption = "Means over the trainings, with 95% intervals over people."
    short = [arm["name"] for arm in scores.details["arms"] if arm["short"]]
    if short:
        caption += f" Too few synthetic faces for {', '.join(short)}: all there are were taken."
    return compact(Table("Every arm", columns, tuple(rows), frozenset(numeric), caption))


def _other_measures(scores: Scores) -> Table:
    measures = {name: title for name, title in _MEASURES.items() if name != "accuracy"}
    rows = tuple(
        (_shown(key), *(_told(scores.scores.get(f"{key}/{measure}")) for measure in measures))
        for key, _, _ in _rows(scores)
    )
    columns = tuple(measures.values())
    return compact(Table("Other measures", ("Arm", *columns), rows, frozenset(columns)))


def _shown(key: str) -> str:
    """TRTR, TSTR-equal; other arms as they are called."""
    first, dash, rest = key.partition("-")
    return first.upper() + dash + rest if first in _CELLS else key


def _told(score: Score | None) -> str:
    if score is None:
        return ""
    span = interval(score)
    return f"{number(score.value)} ({span})" if span else number(score.value)


def _differences(scores: Scores) -> Chart | None:
    rows = [
        Estimate(_shown(key), score.value, score.low, score.high, _tone(arm))
        for key, arm, _ in _rows(scores)
        if (score := scores.scores.get(f"{key}_minus_trtr/accuracy")) is not None
    ]
    label = "difference of accuracy: right is better"
    return charts.intervals("Better or worse than real faces alone", rows, label, mark=("TRTR", 0.0))


def _accuracies(scores: Scores) -> Chart | None:
    rows = [
        Estimate(_shown(key), score.value, score.low, score.high, _tone(arm))
        for key, arm, tested in _rows(scores)
        if tested == "real" and (score := scores.scores.get(f"{key}/accuracy")) is not None
    ]
    mark = ("chance", scores.details["chance"])
    return charts.intervals("Accuracy on real test faces", rows, "with 95% interval", (0.0, 1.0), mark)


def _ratios(scores: Scores) -> Chart | None:
    """The score over the ratio of added synthetic faces that were really there."""
    points: dict[str, list[tuple[float, float]]] = defaultdict(list)
    spans: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for arm in scores.details["arms"]:
        for measure in ("accuracy", "macro_f1") if arm["ratio"] is not None else ():
            score = scores.scores.get(f"{arm['scores']['real']}/{measure}")
            if score is not None:
                ratio, name = arm["synthetic"] / arm["real"], _MEASURES[measure]
                points[name].append((ratio, score.value))
                if score.low is not None and score.high is not None:
                    spans[name].append((ratio, score.low, score.high))
    caption = "Real training faces with so many times as many synthetic ones; 0: real faces alone."
    title, label = "Adding synthetic faces to real ones", "synthetic faces for each real one"
    several = {name: each for name, each in points.items() if len(each) > 1}
    return charts.lines(title, several, label, caption, spans)


def _by_tone(scores: Scores) -> list[Block]:
    """Accuracy by skin tone of the real test faces, where it is known."""
    tones = [tone for tone in _TONES if f"trtr/accuracy[{tone}]" in scores.scores]
    if not tones:
        return []
    rows = tuple(
        (_shown(key), *(_told(scores.scores.get(f"{key}/accuracy[{tone}]")) for tone in tones))
        for key, _, tested in _rows(scores)
        if tested == "real"
    )
    counts = {tone: scores.scores[f"trtr/accuracy[{tone}]"].n for tone in tones}
    columns = tuple(f"{tone} skin ({counts[tone]:,} faces)" for tone in tones)
    caption = "By the individual typology angle: light above 41 degrees, dark up to 10."
    table = Table("Accuracy by skin tone", ("Arm", *columns), rows, frozenset(columns), caption)
    return [table]


def _matrices(scores: Scores) -> list[Block]:
    labels = tuple(scores.details["classes"])
    drawn = [
        Matrix(f"{_shown(key)}, on {tested} faces", labels, tuple(map(tuple, counts)), _tone(arm))
        for key, arm, tested in _rows(scores)
        if (counts := scores.details["confusion"].get(key))
    ]
    starts = range(0, len(drawn), _MATRICES_IN_A_ROW)
    return [Row(tuple(drawn[start : start + _MATRICES_IN_A_ROW])) for start in starts]


def _curve(record: RunRecord, scores: Scores, key: str, title: str) -> Chart | None:
    """A line an arm: the mean over its trainings, of the epochs that all of them have."""
    lines = {}
    for arm in scores.details["arms"]:
        rows = [RunRecord.load(record.folder / "trainings" / name).metrics for name in arm["trainings"]]
        shared = zip(*rows, strict=False)
        lines[_shown(arm["scores"]["real"])] = [
            (epoch[0]["step"], float(np.mean([row[key] for row in epoch])))
            for epoch in shared
            if all(isinstance(row.get(key), int | float) for row in epoch)
        ]
    return charts.lines(title, lines, "epoch")
