"""The report's section on the data-mix study: the same classifier trained on each mix of faces."""

import numpy as np

from anonderm.core.records import TONES
from anonderm.core.results.data_mix import ArmResult, ArmScores, DataMixResult
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Matrix,
    Section,
    Table,
    charts_block,
    compact,
    in_rows,
    score_table,
    value_and_interval,
)
from anonderm.publish.charts import Chart
from anonderm.publish.pipeline import Pipeline

_CURVES = {
    "loss": "Loss on the training faces",
    "val_loss": "Loss on the validation faces",
    "accuracy": "Accuracy on the training faces",
    "val_accuracy": "Accuracy on the validation faces",
}
_ABBREVIATIONS = ("trtr", "trts", "tstr", "tsts")


def data_mix(pipeline: Pipeline) -> Section | None:
    found = pipeline.last(DataMixResult)
    if found is None:
        return None
    record, result = found
    matrices = [
        Matrix(f"{_label(test)}, on {tested_on} faces", test.confusion, _tone(arm))
        for arm, test, tested_on in result.tests
    ]
    blocks = [
        _overview(result),
        charts_block("", (_differences(result), _accuracies(result), _ratios(result))),
        _other_measures(result),
        _by_tone(result),
        *in_rows(matrices),
        charts_block(
            "Training curves of each arm",
            (_curve(record, result, key, title) for key, title in _CURVES.items()),
        ),
        score_table("All scores of the data-mix study", result.scores(), folded=True),
    ]
    length = "optimiser steps" if result.lengths == "steps" else "epochs"
    times = "once" if result.seeds == 1 else f"{result.seeds} times"
    lead = (
        "One classifier trained on real faces (TRTR), on synthetic faces only (TSTR) and on mixes of "
        f"both, {times} each and for the same number of {length}. All are tested on the same real "
        "people, who are in no training set (TRTS and TSTS: on held-out synthetic faces). Differences are "
        "paired over the same people: judge whether an arm is better by the interval of its difference, "
        "not by the overlap of two intervals."
    )
    return Section("data-mix", "Data mix", lead, blocks)


def _label(test: ArmScores) -> str:
    """TRTR, TSTR-equal; other arms by their name."""
    first, dash, rest = test.name.partition("-")
    return first.upper() + dash + rest if first in _ABBREVIATIONS else test.name


def _tone(arm: ArmResult) -> str:
    return "real" if not arm.synthetic else "synthetic" if not arm.real else "c1"


def _overview(result: DataMixResult) -> Table:
    rows = []
    for arm, test, tested_on in result.tests:
        counts = (f"{count:,}" if count else "" for count in (arm.real, arm.synthetic))
        difference = test.difference.scores.accuracy if test.difference and tested_on == "real" else None
        scores = (value_and_interval(test.scores.accuracy), value_and_interval(difference))
        rows.append((_label(test), arm.description, *counts, tested_on, *scores))
    numeric = ("Real", "Synthetic", "Accuracy", "Accuracy minus TRTR")
    columns = ("Arm", "Trained on", "Real", "Synthetic", "Tested on", *numeric[2:])
    caption = "Means over the trainings, with 95% intervals over people."
    short = [arm.name for arm in result.arms if arm.shortages]
    if short:
        caption += f" There were too few synthetic faces for {', '.join(short)}: all of them were used."
    return compact(Table("Every arm", columns, tuple(rows), frozenset(numeric), caption))


def _other_measures(result: DataMixResult) -> Table:
    columns = ("Macro F1", "Quadratic kappa", "Macro MAE (grades)")
    rows = []
    for _, test, _ in result.tests:
        scores = (test.scores.macro_f1, test.scores.quadratic_kappa, test.scores.macro_mae)
        rows.append((_label(test), *map(value_and_interval, scores)))
    return compact(Table("Other measures", ("Arm", *columns), tuple(rows), frozenset(columns)))


def _differences(result: DataMixResult) -> Chart | None:
    rows = [
        charts.Estimate(_label(arm.on_real), arm.on_real.difference.scores.accuracy, _tone(arm))
        for arm in result.arms
        if arm.on_real.difference is not None
    ]
    label = "difference in accuracy: right is better"
    return charts.intervals("Compared with real faces only", rows, label, mark=("TRTR", 0.0))


def _accuracies(result: DataMixResult) -> Chart | None:
    rows = [
        charts.Estimate(_label(arm.on_real), arm.on_real.scores.accuracy, _tone(arm)) for arm in result.arms
    ]
    mark = ("majority class", result.majority_share)
    return charts.intervals("Accuracy on real test faces", rows, "with 95% interval", (0.0, 1.0), mark)


def _ratios(result: DataMixResult) -> Chart | None:
    """Scores by the actual ratio of synthetic to real training faces."""
    curves = {"Accuracy": result.by_ratio("accuracy"), "Macro F1": result.by_ratio("macro_f1")}
    curves = {name: curve for name, curve in curves.items() if len(curve) > 1}
    points = {name: [(ratio, score.value) for ratio, score in curve] for name, curve in curves.items()}
    spans = {
        name: [(ratio, s.low, s.high) for ratio, s in curve if s.low is not None and s.high is not None]
        for name, curve in curves.items()
    }
    caption = "Real training faces plus this many synthetic faces for each; 0: real faces only."
    title, label = "Adding synthetic faces to real ones", "synthetic faces per real face"
    return charts.lines(title, points, label, caption, spans)


def _by_tone(result: DataMixResult) -> Table | None:
    """Accuracy by skin tone of the real test faces, where it is known."""
    counts = {tone: result.trtr.by_tone[tone].accuracy.n for tone in TONES if tone in result.trtr.by_tone}
    if not counts:
        return None
    rows = []
    for arm in result.arms:
        by_tone = arm.on_real.by_tone
        accuracies = (by_tone[tone].accuracy if tone in by_tone else None for tone in counts)
        rows.append((_label(arm.on_real), *map(value_and_interval, accuracies)))
    columns = tuple(f"{tone} skin ({count:,} faces)" for tone, count in counts.items())
    caption = "By the individual typology angle: light above 41 degrees, dark up to 10."
    return Table("Accuracy by skin tone", ("Arm", *columns), tuple(rows), frozenset(columns), caption)


def _curve(record: RunRecord, result: DataMixResult, key: str, title: str) -> Chart | None:
    """A line for each arm: the mean over its trainings, for the epochs that all of them have."""
    lines = {}
    for arm in result.arms:
        metrics = [RunRecord.load(record.folder / "trainings" / name).metrics for name in arm.trainings]
        shared = zip(*metrics, strict=False)
        lines[_label(arm.on_real)] = [
            (epoch[0]["step"], float(np.mean([row[key] for row in epoch])))
            for epoch in shared
            if all(isinstance(row.get(key), int | float) for row in epoch)
        ]
    return charts.lines(title, lines, "epoch")
