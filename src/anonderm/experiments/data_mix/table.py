"""What the arms of the data-mix study came to, in one table and one picture."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anonderm.core.files import atomic_path, write_json, write_text
from anonderm.core.records import Scores
from anonderm.core.results.base import Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN = ("accuracy", "macro_f1", "quadratic_kappa")
_LOG_WIDTH = 150


def rows(made: Scores) -> list[dict[str, Any]]:
    """A row an arm and test set: what was learned from, tested on, and each score with its interval."""
    names = [name.partition("/")[2] for name in made.scores if name.startswith("trtr/")]
    found = []
    for arm in made.details["arms"]:
        for tested_on, key in arm["scores"].items():
            row = {"arm": key, "learned_from": arm["told"], "tested_on": tested_on}
            row |= {name: arm[name] for name in ("real", "synthetic", "ratio")}
            row["steps"] = arm["steps"][0] if len(set(arm["steps"])) == 1 else max(arm["steps"])
            for name in names:
                row |= _cells(name, made.scores.get(f"{key}/{name}"))
                reference = "trtr" if tested_on == "real" else "tsts"
                row |= _cells(f"{name}_minus_{reference}", made.scores.get(f"{key}_minus_{reference}/{name}"))
            found.append(row)
    columns = {column: None for row in found for column in row}
    return [columns | row for row in found]


def _cells(name: str, score: Score | None) -> dict[str, Any]:
    if score is None:
        return {}
    return {name: score.value, f"{name}_low": score.low, f"{name}_high": score.high}


def write_table(folder: Path, made: Scores) -> None:
    """data-mix.json and data-mix.csv."""
    found = rows(made)
    write_json(folder / "data-mix.json", {"seeds": made.details["seeds"], "rows": found})
    text = io.StringIO()
    writer = csv.DictWriter(text, list(found[0]))
    writer.writeheader()
    writer.writerows(found)
    write_text(folder / "data-mix.csv", text.getvalue())


def print_table(made: Scores) -> None:
    """To stderr, in the order of the arms."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    shown = [name for name in _SHOWN if f"trtr/{name}" in made.scores]
    table = Table(box=SIMPLE)
    for column in ("arm", "real", "synthetic", "tested on", *(name.replace("_", " ") for name in shown)):
        table.add_column(column, justify="left" if column in ("arm", "tested on") else "right")
    table.add_column("accuracy - TRTR", justify="right")
    for row in rows(made):
        scores = [made.scores.get(f"{row['arm']}/{name}") for name in shown]
        apart = made.scores.get(f"{row['arm']}_minus_trtr/accuracy")
        counts = (str(row["real"]), str(row["synthetic"]), row["tested_on"])
        table.add_row(row["arm"], *counts, *map(_told, scores), _told(apart, sign="+"))
    # In a log file there is no terminal whose width would count.
    Console(stderr=True, width=None if sys.stderr.isatty() else _LOG_WIDTH).print(table)


def _told(score: Score | None, sign: str = "") -> str:
    if score is None:
        return ""
    if score.low is None or score.high is None:
        return f"{score.value:{sign}.3f}"
    return f"{score.value:{sign}.3f} ({score.low:{sign}.2f}..{score.high:{sign}.2f})"


def write_picture(path: Path, made: Scores) -> None:
    """Accuracy and macro F1 of every arm, and over the ratio of added synthetic faces, with intervals."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    keys = [key for arm in made.details["arms"] for key in arm["scores"].values()]
    figure = Figure(figsize=(11, 1.6 + 0.34 * max(6, len(keys))), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _draw_arms(left, made, keys)
    _draw_ratios(right, made)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={"Software": None})


def _draw_arms(axes: Axes, made: Scores, keys: Sequence[str]) -> None:
    for offset, measure in ((-0.14, "accuracy"), (0.14, "macro_f1")):
        places = [place for place, key in enumerate(keys) if f"{key}/{measure}" in made.scores]
        scores = [made.scores[f"{keys[place]}/{measure}"] for place in places]
        if scores:
            heights = [place + offset for place in places]
            axes.errorbar(
                [score.value for score in scores],
                heights,
                xerr=_whiskers(scores),
                fmt="o",
                markersize=4,
                capsize=2,
                label=measure.replace("_", " "),
            )
    axes.axvline(made.details["chance"], color="grey", linestyle=":", label="most frequent class")
    axes.set_yticks(range(len(keys)), list(keys))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.02)
    axes.legend(fontsize=7, loc="lower left")
    axes.set_title("Every arm, 95% intervals over people", fontsize=9)


def _draw_ratios(axes: Axes, made: Scores) -> None:
    for shift, measure in ((-0.004, "accuracy"), (0.004, "macro_f1")):  # or one interval would hide the other
        points = ratio_curve(made, measure)
        if points:
            ratios, scores = zip(*points, strict=True)
            ratios = tuple(ratio + shift * max(ratios) for ratio in ratios)
            values = [score.value for score in scores]
            label = measure.replace("_", " ")
            axes.errorbar(ratios, values, yerr=_whiskers(scores), marker="o", capsize=2, label=label)
    axes.set_xlabel("synthetic faces added, as a multiple of the real ones", fontsize=8)
    axes.set_title("On real test faces, by what was added to the real ones", fontsize=9)
    if axes.lines:
        axes.legend(fontsize=7)


def _whiskers(scores: Sequence[Score]) -> list[list[float]]:
    """How far each interval reaches below and above; a percentile interval need not hold the value."""
    below = [max(0.0, each.value - (each.value if each.low is None else each.low)) for each in scores]
    above = [max(0.0, (each.value if each.high is None else each.high) - each.value) for each in scores]
    return [below, above]


def ratio_curve(made: Scores, measure: str) -> list[tuple[float, Score]]:
    """The score at each ratio of synthetic to real faces that were really there, from 0 on."""
    found = []
    for arm in made.details["arms"]:
        score = made.scores.get(f"{arm['scores']['real']}/{measure}")
        if arm["ratio"] is not None and score is not None:
            found.append((arm["synthetic"] / arm["real"], score))
    return found
