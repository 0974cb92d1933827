"""The arms of the data-mix study, compared in a table and a picture."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anonderm.core.files import atomic_path, write_csv, write_json
from anonderm.core.results.base import Score, scores_in
from anonderm.core.results.data_mix import DataMixResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOG_WIDTH = 150


def rows(result: DataMixResult) -> list[dict[str, Any]]:
    """A row for each arm and test set: what it was trained on, and each score with its interval."""
    found = []
    for arm, test, tested_on in result.tests:
        row = {
            "arm": test.name,
            "trained_on": arm.description,
            "tested_on": tested_on,
            "real": arm.real,
            "synthetic": arm.synthetic,
            "ratio": arm.ratio,
            "steps": max(arm.steps),
        }
        for name, score in scores_in(test.scores).items():
            row |= _cells(name, score)
        for name, score in scores_in(test.difference and test.difference.scores).items():
            row |= _cells(f"{name}_minus_{'trtr' if tested_on == 'real' else 'tsts'}", score)
        found.append(row)
    columns = {column: None for row in found for column in row}
    return [columns | row for row in found]


def _cells(name: str, score: Score) -> dict[str, Any]:
    return {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}


def write_table(folder: Path, result: DataMixResult) -> None:
    """data-mix.json and data-mix.csv."""
    found = rows(result)
    write_json(folder / "data-mix.json", {"seeds": result.seeds, "rows": found})
    write_csv(folder / "data-mix.csv", list(found[0]), found)


def print_table(result: DataMixResult) -> None:
    """To stderr, in the order of the arms."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE)
    measures = ["accuracy", "macro F1", *(["quadratic kappa"] if result.trtr.scores.quadratic_kappa else [])]
    for column in ("arm", "real", "synthetic", "tested on", *measures, "accuracy - TRTR"):
        table.add_column(column, justify="left" if column in ("arm", "tested on") else "right")
    for arm, test, tested_on in result.tests:
        scores = (test.scores.accuracy, test.scores.macro_f1, test.scores.quadratic_kappa)
        difference = test.difference.scores.accuracy if test.difference and tested_on == "real" else None
        cells = (*map(_text, scores[: len(measures)]), _text(difference, sign="+"))
        table.add_row(test.name, str(arm.real), str(arm.synthetic), tested_on, *cells)
    # A log file has no terminal width.
    Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_WIDTH).print(table)


def _text(score: Score | None, sign: str = "") -> str:
    if score is None:
        return ""
    if score.low is None or score.high is None:
        return f"{score.value:{sign}.3f}"
    return f"{score.value:{sign}.3f} ({score.low:{sign}.2f}..{score.high:{sign}.2f})"


def write_picture(path: Path, result: DataMixResult) -> None:
    """Accuracy and macro F1 of every arm, and over the ratio of added synthetic faces, with intervals."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.6 + 0.34 * max(6, len(result.tests))), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_arms(left, result)
    _draw_ratios(right, result)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _draw_arms(axes: Axes, result: DataMixResult) -> None:
    tests = [test for _, test, _ in result.tests]
    for offset, label in ((-0.14, "accuracy"), (0.14, "macro F1")):
        each = [test.scores.accuracy if label == "accuracy" else test.scores.macro_f1 for test in tests]
        points = [(place + offset, score) for place, score in enumerate(each) if score is not None]
        if points:
            heights, scores = zip(*points, strict=True)
            values = [score.value for score in scores]
            errors = _whiskers(scores)
            axes.errorbar(values, heights, xerr=errors, fmt="o", markersize=4, capsize=2, label=label)
    axes.axvline(result.majority_share, color="grey", linestyle=":", label="most frequent class")
    axes.set_yticks(range(len(tests)), [test.name for test in tests])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02)
    axes.legend(fontsize=7, loc="lower left")
    axes.set_title("Every arm, 95% intervals over people", fontsize=9)


def _draw_ratios(axes: Axes, result: DataMixResult) -> None:
    curves = {"accuracy": result.by_ratio("accuracy"), "macro F1": result.by_ratio("macro_f1")}
    for shift, (label, points) in zip((-0.004, 0.004), curves.items(), strict=True):  # or bars would overlap
        if points:
            ratios, scores = zip(*points, strict=True)
            ratios = tuple(ratio + shift * max(ratios) for ratio in ratios)
            values = [score.value for score in scores]
            axes.errorbar(ratios, values, yerr=_whiskers(scores), marker="o", capsize=2, label=label)
    axes.set_xlabel("synthetic faces added, as a multiple of the real ones", fontsize=8)
    axes.set_title("On real test faces, by the number of synthetic faces added", fontsize=9)
    if axes.lines:
        axes.legend(fontsize=7)


def _whiskers(scores: Sequence[Score]) -> list[list[float]]:
    """Distances to the ends of each interval; a percentile interval need not contain the value."""
    below = [max(0.0, each.value - (each.value if each.low is None else each.low)) for each in scores]
    above = [max(0.0, (each.value if each.high is None else each.high) - each.value) for each in scores]
    return [below, above]
