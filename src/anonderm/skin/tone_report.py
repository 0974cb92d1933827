"""The skin tones of a set, class by class: numbers and a picture."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from anonderm.core.faceset import FaceSet
from anonderm.core.files import write_bytes
from anonderm.core.records import Face, Scores, order_labels
from anonderm.core.results.base import Score
from anonderm.skin.skin_tone import FITZPATRICK_TYPES, MONK_COLOURS, MONK_TONES, fitzpatrick, monk

WARNING = "photos are not calibrated: their light shifts skin tones by whole bins"
_NO_CLASS = "no class"
_SHOWN_SHARE = 0.03  # smaller parts of a bar have no room for their number
_FITZPATRICK_COLOURS = ("#f4d9c6", "#e8bf9f", "#d3a17c", "#b07b52", "#7d4f33", "#4a2e22")

Counts = dict[str, dict[str, int]]


def tone_scores(faces: FaceSet, known_before: dict[str, float]) -> Scores:
    """Median ITA of each class, with its 5th and 95th percentile, and how many faces fall in each bin.

    `known_before` is the ITA that faces had, by id: where there are ten or more, the agreement is stated.
    """
    scores = {}
    for label in _classes(faces):
        angles = [face.ita for face in faces if _class(face) == label and face.ita is not None]
        if angles:
            low, middle, high = np.percentile(angles, (5, 50, 95)).tolist()
            scores[f"ita {label}"] = Score(
                middle, low, high, len(angles), note=f"median, 5th and 95th percentile, degrees; {WARNING}"
            )
    scores |= _agreement(faces, known_before)
    details: dict[str, Any] = {
        "fitzpatrick": _counts(faces, FITZPATRICK_TYPES, fitzpatrick),
        "monk": _counts(faces, MONK_TONES, monk),
        "unmeasured": sum(face.ita is None for face in faces),
        "warning": WARNING,
    }
    return Scores(scores, details)


def _agreement(faces: FaceSet, known_before: dict[str, float]) -> dict[str, Score]:
    from scipy.stats import spearmanr

    pairs = [
        (face.ita, known_before[face.id])
        for face in faces
        if face.ita is not None and face.id in known_before
    ]
    if len(pairs) < 10:
        return {}
    measured_N, known_N = np.array(pairs).T
    errors_N = np.abs(measured_N - known_N)
    return {
        "ita rank correlation": Score(
            float(spearmanr(measured_N, known_N).statistic), n=len(pairs), higher_is_better=True,
            note="between the measured ITA and the one that faces had",
        ),
        "ita error": Score(
            float(np.median(errors_N)), n=len(pairs), higher_is_better=False,
            note="median distance of the measured ITA from the one that faces had, degrees",
        ),
    }  # fmt: skip


def _class(face: Face) -> str:
    return face.label or _NO_CLASS


def _classes(faces: FaceSet) -> tuple[str, ...]:
    return order_labels(_class(face) for face in faces)


def _counts(faces: FaceSet, bins: tuple[str, ...], bin_of: Callable[[float], str]) -> Counts:
    counts: Counts = {}
    for label in _classes(faces):
        found = Counter(bin_of(face.ita) for face in faces if _class(face) == label and face.ita is not None)
        counts[label] = {name: found[name] for name in bins}
    return counts


def draw_tones(scores: Scores, path: Path) -> None:
    """A bar a class, divided by Fitzpatrick type (left) and Monk tone (right), as PNG."""
    from matplotlib.figure import Figure

    classes = list(scores.details["fitzpatrick"])
    figure = Figure(figsize=(11, 1.6 + 0.5 * len(classes)), layout="constrained")
    scales = (
        ("fitzpatrick", "Fitzpatrick type, by ITA", _FITZPATRICK_COLOURS),
        ("monk", "Monk skin tone, by ITA", tuple(MONK_COLOURS.values())),
    )
    for axes, (name, title, colours) in zip(figure.subplots(1, 2, sharey=True), scales, strict=True):
        _draw_bars(axes, scores.details[name], classes, colours)
        axes.set_title(title, fontsize=10)
    figure.axes[0].invert_yaxis()  # shared by both: the mildest class comes first
    figure.suptitle(f"Skin tones by class ({WARNING})", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())


def _draw_bars(axes: Any, counts: Counts, classes: list[str], colours: tuple[str, ...]) -> None:
    left = np.zeros(len(classes))
    totals = np.array([max(1, sum(counts[label].values())) for label in classes])
    for name, colour in zip(counts[classes[0]], colours, strict=True):
        found = np.array([counts[label][name] for label in classes])
        axes.barh(
            classes, found / totals, left=left, color=colour, edgecolor="#888888", linewidth=0.5, label=name
        )
        for row in np.flatnonzero(found / totals > _SHOWN_SHARE):
            dark = sum(int(colour[start : start + 2], 16) for start in (1, 3, 5)) < 330
            axes.text(
                left[row] + found[row] / totals[row] / 2, row, str(found[row]),
                ha="center", va="center", fontsize=7, color="white" if dark else "black",
            )  # fmt: skip
        left += found / totals
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of faces")
    axes.legend(ncols=10, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)
