"""The report's section on realism: can classifiers, or a published detector, tell synthetic from real?"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.records import Scores
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import (
    Block,
    Charts,
    Gallery,
    Picture,
    Section,
    Table,
    percent,
    picture_file,
    score_table,
)
from anonderm.publish.charts import Chart, Estimate
from anonderm.publish.runs import Material

Floats = NDArray[np.float64]

_BINS = 10
_ONLOOKER = "CNN from scratch"


def realism(material: Material) -> Section | None:
    found = material.scored("evaluate realism")
    if found is None:
        return None
    record, scores = found
    drawn = [chart for chart in (_aucs(scores), *_probabilities(scores), _detector_chart(scores)) if chart]
    blocks: list[Block] = [Charts("", tuple(drawn))] if drawn else []
    blocks += [*_bins(scores), *_shown(record, scores)]
    blocks.append(score_table("All scores of realism", scores.scores, folded=bool(drawn)))
    lead = (
        "Classifiers are taught to tell synthetic faces from real ones, and tried on people that they have "
        "not seen. 0.5 means that they cannot; the floor is the same test between two halves of real people."
    )
    return Section("realism", "Realism", lead, tuple(blocks))


def _aucs(scores: Scores) -> Chart | None:
    rows = []
    for name, score in scores.scores.items():
        if match := re.fullmatch(r"auc\[([^]]*)\]/(all|floor)", name):
            test = _spoken(match[1])
            floor = match[2] == "floor"
            shown, tone = (f"{test}, floor", "real") if floor else (test, "synthetic")
            rows.append(Estimate(shown, score.value, score.low, score.high, tone))
    caption = "Share of pairs, a real and a synthetic face, that the classifier puts in the right order."
    label = "AUC: right is easier to tell"
    mark = ("cannot tell", 0.5)
    return charts.intervals("Telling synthetic from real", rows, label, (0.0, 1.0), mark, caption)


def _spoken(test: str) -> str:
    return _ONLOOKER if test == "onlooker" else test


def _probabilities(scores: Scores) -> list[Chart | None]:
    label = "probability of being synthetic"
    return [
        charts.histogram(f"Scores of each face: {_spoken(test)}", sides, label, _BINS, (0.0, 1.0))
        for test, sides in scores.details.get("tests", {}).items()
    ]


def _detector_chart(scores: Scores) -> Chart | None:
    """AcneGAN's Figure 11."""
    detector = scores.details.get("detector")
    if detector is None:
        return None
    middles = (np.array(detector["edges"][:-1]) + np.array(detector["edges"][1:])) / 2
    sides = {side: np.repeat(middles, detector[side]).tolist() for side in ("real", "synthetic")}
    title = f"Detector of manipulated faces ({detector['variant']})"
    return charts.histogram(title, sides, "probability of being manipulated", _BINS, (0.0, 1.0))


def _bins(scores: Scores) -> list[Block]:
    """Counts and shares in ten bins, as AcneGAN's Table 6 has them: of the detector, and of each test."""
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    tables: list[Block] = []
    if detector := scores.details.get("detector"):
        title = f"Faces by the score of the detector {detector['variant']}"
        tables.append(_binned(title, edges, detector["real"], detector["synthetic"]))
    for test, sides in scores.details.get("tests", {}).items():
        real, synthetic = (np.histogram(sides[side], edges)[0].tolist() for side in ("real", "synthetic"))
        title = f"Faces by their probability of being synthetic: {_spoken(test)}"
        tables.append(_binned(title, edges, real, synthetic, folded=detector is not None))
    return tables


def _binned(title: str, edges: Floats, real: list[int], synthetic: list[int], folded: bool = False) -> Table:
    rows = tuple(
        (f"{low:.1f} to {high:.1f}", *_counted(real, bin), *_counted(synthetic, bin))
        for bin, (low, high) in enumerate(pairwise(edges))
    )
    columns = ("Score", "Real", "Share of real", "Synthetic", "Share of synthetic")
    return Table(title, columns, rows, frozenset(columns[1:]), folded=folded)


def _counted(counts: list[int], index: int) -> tuple[str, str]:
    return f"{counts[index]:,}", percent(counts[index] / max(1, sum(counts)))


def _shown(record: RunRecord, scores: Scores) -> list[Block]:
    """For each test, synthetic faces that were found out, and some that passed."""
    titles = {
        "caught": "Synthetic faces found out most surely",
        "passed": "Synthetic faces most taken for real",
    }
    galleries: dict[tuple[str, str], list[tuple[Picture, str]]] = {}
    for entry in scores.details.get("shown", ()):
        picture = picture_file(record.folder / entry["file"], _alt(entry), 128)
        if picture:
            caption = f"{percent(entry['probability'])} synthetic"
            galleries.setdefault((entry["test"], entry["kind"]), []).append((picture, caption))
    return [
        Gallery(
            f"{titles[kind]}: {_spoken(test)}",
            tuple((picture,) for picture, _ in found),
            "synthetic",
            tuple(caption for _, caption in found),
        )
        for (test, kind), found in galleries.items()
    ]


def _alt(entry: dict[str, Any]) -> str:
    outcome = {"caught": "found out", "passed": "taken for real"}[entry["kind"]]
    return f"synthetic face, {outcome}" + (f", {entry['label']}" if entry["label"] else "")
