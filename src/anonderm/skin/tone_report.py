"""The skin tones of a set, class by class: numbers and a chart."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from anonderm.core.faceset import FaceSet
from anonderm.core.files import write_bytes
from anonderm.core.records import Face, order_labels
from anonderm.core.results.base import Score
from anonderm.core.results.skin import Counts, SkinTones
from anonderm.skin.skin_tone import FITZPATRICK_TYPES, MONK_COLOURS, MONK_TONES, fitzpatrick, monk

WARNING = "photos are not calibrated: their lighting shifts skin tones by whole bins"
_NO_CLASS = "no class"
_MIN_PAIRS = 10
_LABELLED_SHARE = 0.03  # smaller segments of a bar have no room for their number
_FITZPATRICK_COLOURS = ("#f4d9c6", "#e8bf9f", "#d3a17c", "#b07b52", "#7d4f33", "#4a2e22")


def skin_tones(faces: FaceSet, known_before: dict[str, float], little_skin: dict[str, str]) -> SkinTones:
    """`known_before`: the ITA that faces already had, by id. `little_skin`: id -> reason."""
    angles = {
        label: [face.ita for face in faces if _class(face) == label and face.ita is not None]
        for label in order_labels(map(_class, faces))
    }
    measured = [face for face in faces if face.ita is not None and face.id in known_before]
    correlation, error = _agreement([(face.ita or 0.0, known_before[face.id]) for face in measured])
    return SkinTones(
        {label: _percentiles(of_class) for label, of_class in angles.items() if of_class},
        correlation,
        error,
        _counts(angles, FITZPATRICK_TYPES, fitzpatrick),
        _counts(angles, MONK_TONES, monk),
        sum(face.ita is None for face in faces),
        little_skin,
    )


def _class(face: Face) -> str:
    return face.label or _NO_CLASS


def _percentiles(angles: list[float]) -> Score:
    low, middle, high = np.percentile(angles, (5, 50, 95)).tolist()
    return Score(middle, low, high, len(angles), note=f"median, 5th and 95th percentile, degrees; {WARNING}")


def _agreement(pairs: list[tuple[float, float]]) -> tuple[Score, Score] | tuple[None, None]:
    """Rank correlation and error of measured and known angles, if there are enough of them."""
    from scipy.stats import spearmanr

    if len(pairs) < _MIN_PAIRS:
        return None, None
    measured_N, known_N = np.array(pairs).T
    correlation = float(spearmanr(measured_N, known_N).statistic)
    error = float(np.median(np.abs(measured_N - known_N)))
    return (
        Score(correlation, n=len(pairs), higher_is_better=True, note="measured ITA and the faces' own"),
        Score(error, n=len(pairs), higher_is_better=False, note="median absolute difference, degrees"),
    )


def _counts(angles: dict[str, list[float]], bins: tuple[str, ...], bin_of: Callable[[float], str]) -> Counts:
    counts: Counts = {}
    for label, of_class in angles.items():
        found = Counter(map(bin_of, of_class))
        counts[label] = {name: found[name] for name in bins}
    return counts


def draw_tones(tones: SkinTones, path: Path) -> None:
    """One bar per class, divided by Fitzpatrick type (left) and Monk tone (right), as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 1.6 + 0.5 * len(tones.monk)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_bars(left, "Fitzpatrick type, by ITA", tones.fitzpatrick, _FITZPATRICK_COLOURS)
    _draw_bars(right, "Monk skin tone, by ITA", tones.monk, tuple(MONK_COLOURS.values()))
    left.invert_yaxis()  # shared by both: the mildest class comes first
    figure.suptitle(f"Skin tones by class ({WARNING})", fontsize=10)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_bytes(path, buffer.getvalue())


def _draw_bars(axes: Any, title: str, counts: Counts, colours: tuple[str, ...]) -> None:
    classes = list(counts)
    left = np.zeros(len(classes))
    totals = np.array([max(1, sum(counts[label].values())) for label in classes])
    for name, colour in zip(counts[classes[0]], colours, strict=True):
        found = np.array([counts[label][name] for label in classes])
        widths = found / totals
        axes.barh(classes, widths, left=left, color=colour, edgecolor="#888888", linewidth=0.5, label=name)
        dark = sum(int(colour[start : start + 2], 16) for start in (1, 3, 5)) < 330
        style = {"ha": "center", "va": "center", "fontsize": 7, "color": "white" if dark else "black"}
        for row in np.flatnonzero(widths > _LABELLED_SHARE):
            axes.text(left[row] + widths[row] / 2, row, str(found[row]), **style)
        left += widths
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of faces")
    axes.legend(ncols=10, fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.18), frameon=False)
    axes.set_title(title, fontsize=10)
