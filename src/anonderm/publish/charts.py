"""Small charts as inline SVG. Colours come from the page's style sheet, so they follow light and dark."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from anonderm.core.results.base import Score

WIDTH, HEIGHT = 340.0, 210.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 12.0, 10.0, 38.0

# Real and synthetic keep one colour through the whole report; other series take the next one.
_TONE_OF = {"real": "real", "held-out people": "real", "synthetic": "synthetic", "kept": "synthetic"}
_TONES = ("c1", "c2", "c3", "c4", "c5", "c6")


@dataclass(frozen=True)
class Chart:
    """One drawing; `legend` pairs each name with the tone (a CSS class) it is drawn in."""

    title: str
    svg: Markup
    legend: tuple[tuple[str, str], ...] = ()
    caption: str = ""


@dataclass(frozen=True)
class _Axis:
    """A linear map from values [low, high] to pixels [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self, about: int) -> list[float]:
        """Round numbers (1, 2, 2.5 or 5 times a power of ten) within the range."""
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * nice for nice in (1, 2, 2.5, 5, 10) if power * nice >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        return [index * step for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _legend(names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Each series with the CSS class that it is drawn in."""
    return tuple((name, _TONE_OF.get(name, _TONES[index % len(_TONES)])) for index, name in enumerate(names))


def lines(
    title: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    x_label: str,
    caption: str = "",
    spans: Mapping[str, Sequence[tuple[float, float, float]]] | None = None,
) -> Chart | None:
    """A line for each series of (x, y) points; None if no series has a finite point.

    spans: for a series by name, intervals as (x, low, high).
    """
    finite = {name: [p for p in points if all(map(math.isfinite, p))] for name, points in series.items()}
    drawn = {name: points for name, points in finite.items() if points}
    if not drawn:
        return None
    every = np.array([point for points in drawn.values() for point in points])
    spans = {name: each for name, each in (spans or {}).items() if name in drawn}
    ends = [end for each in spans.values() for _, *both in each for end in both]
    x, y = _axes(every[:, 0], _padded(np.array([*every[:, 1], *ends])))
    body, legend = [], _legend(drawn)
    for index, (name, tone) in enumerate(legend):
        points = drawn[name]
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)
        # The dash pattern differs when the tones repeat.
        dash = (index + index // len(_TONES)) % 3
        body.append(f'<polyline class="line {tone} dash{dash}" points="{path}"/>')
        for at, low, high in spans.get(name, ()):
            body.append(
                f'<line class="whisker {tone}" x1="{x(at):.1f}" x2="{x(at):.1f}" '
                f'y1="{y(low):.1f}" y2="{y(high):.1f}"/>'
            )
        if len(points) == 1:
            (at, height), *_ = points
            body.append(f'<circle class="dot {tone}" cx="{x(at):.1f}" cy="{y(height):.1f}" r="3"/>')
    summary = f"{title}: " + ", ".join(f"{name} ends at {number(p[-1][1])}" for name, p in drawn.items())
    return Chart(title, _svg(summary, _frame(x, y, x_label) + "".join(body)), legend, caption)


def histogram(
    title: str,
    groups: Mapping[str, Sequence[float]],
    x_label: str,
    bins: int = 30,
    within: tuple[float, float] | None = None,
    caption: str = "",
) -> Chart | None:
    """Share of each group in bins of equal width; None if there is nothing to count."""
    finite = {name: np.asarray(v, float)[np.isfinite(np.asarray(v, float))] for name, v in groups.items()}
    drawn = {name: values for name, values in finite.items() if len(values)}
    if not drawn:
        return None
    every = np.concatenate(list(drawn.values()))
    low, high = within or (float(every.min()), float(every.max()))
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    shares = {name: np.histogram(values, edges)[0] / len(values) for name, values in drawn.items()}
    x, y = _axes(edges, np.array([0.0, 1.05 * max(share.max() for share in shares.values()) or 1.0]))
    body, tones = [], _legend(drawn)
    for index, (name, tone) in enumerate(tones):
        corners = zip(np.repeat(edges, 2), (0.0, *np.repeat(shares[name], 2), 0.0), strict=True)
        steps = " ".join(f"{x(edge):.1f},{y(height):.1f}" for edge, height in corners)
        fill = "area" if len(shares) <= 2 else "line"
        body.append(f'<polygon class="{fill} {tone} dash{index % 3}" points="{steps}"/>')
    medians = ", ".join(f"median of {name} {number(float(np.median(v)))}" for name, v in drawn.items())
    legend = tuple((f"{name} ({len(drawn[name]):,})", tone) for name, tone in tones)
    frame = _frame(x, y, x_label, percent=True)
    return Chart(title, _svg(f"{title}: {medians}", frame + "".join(body)), legend, caption)


def scatter(
    title: str, groups: Mapping[str, Sequence[tuple[float, float]]], x_label: str, caption: str = ""
) -> Chart | None:
    """A dot for each point, at most 400 of each group."""
    drawn = {name: list(points)[:400] for name, points in groups.items() if len(points)}
    if not drawn:
        return None
    every = np.array([point for points in drawn.values() for point in points], float)
    x, y = _axes(_padded(every[:, 0]), _padded(every[:, 1]))
    body, legend = [], _legend(drawn)
    for name, tone in legend:
        dots = "".join(f'<circle cx="{x(a):.1f}" cy="{y(b):.1f}" r="2.2"/>' for a, b in drawn[name])
        body.append(f'<g class="dot {tone}">{dots}</g>')
    summary = f"{title}: " + ", ".join(f"{len(points)} {name}" for name, points in drawn.items())
    return Chart(title, _svg(summary, _frame(x, y, x_label) + "".join(body)), legend, caption)


class Estimate(NamedTuple):
    """A score, and the tone that it is drawn in."""

    name: str
    score: Score
    tone: str


def estimates(scores: Iterable[tuple[str, Score | None, str]]) -> list[Estimate]:
    """Without the scores that are undefined."""
    return [Estimate(name, score, tone) for name, score, tone in scores if score is not None]


def with_baselines(scores: Iterable[tuple[str, Score | None, Score | None]]) -> list[Estimate]:
    """Each name's score of the synthetic faces, and below it that of its real baseline."""
    return [
        each
        for name, synthetic, baseline in scores
        for each in estimates([(name, synthetic, "synthetic"), (f"{name}, baseline", baseline, "real")])
    ]


def intervals(
    title: str,
    rows: Sequence[Estimate],
    x_label: str,
    within: tuple[float, float] | None = None,
    mark: tuple[str, float] | None = None,
    caption: str = "",
) -> Chart | None:
    """A dot and its interval in each row; `mark` draws a named vertical line, such as chance."""
    if not rows:
        return None
    scores = [score for _, score, _ in rows]
    ends = [v for s in scores for v in (s.value, s.low, s.high) if v is not None and math.isfinite(v)]
    ends += [mark[1]] if mark else []
    low, high = within or (min(0.0, *ends), max(ends) * 1.05 or 1.0)
    height = 26.0 * len(rows) + _BOTTOM + 18
    left = 14 + 6.3 * max(len(row.name) for row in rows)
    x = _Axis(low, high if high > low else low + 1, left, WIDTH - 18)
    bottom = height - _BOTTOM
    parts = [_x_ticks(x, bottom, 14, 4), _text("end", x.end, height - 4, x_label, "label")]
    if mark:
        at = x(mark[1])
        parts.append(f'<line class="mark" x1="{at:.1f}" x2="{at:.1f}" y1="14" y2="{bottom:.1f}"/>')
        parts.append(_text("middle", at, 9, mark[0], "label"))
    for index, (name, score, tone) in enumerate(rows):
        y = 30 + 26.0 * index
        parts.append(_text("end", left - 8, y + 4, name))
        if score.low is not None and score.high is not None:
            parts.append(
                f'<line class="whisker {tone}" x1="{x(score.low):.1f}" x2="{x(score.high):.1f}" '
                f'y1="{y}" y2="{y}"/>'
            )
        parts.append(f'<circle class="dot solid {tone}" cx="{x(score.value):.1f}" cy="{y}" r="5"/>')
    summary = f"{title}: " + ", ".join(f"{row.name} {number(row.score.value)}" for row in rows)
    return Chart(title, _svg(summary, "".join(parts), height), caption=caption)


def number(value: float) -> str:
    """Three significant digits; whole numbers from a thousand on."""
    if not math.isfinite(value):
        return "not defined"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _padded(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    return np.array([min(low, 0.0) if 0 <= low < 0.5 * high else low - room, high + room])


def _axes(xs: np.ndarray, ys: np.ndarray) -> tuple[_Axis, _Axis]:
    low, high = float(xs.min()), float(xs.max())
    x = _Axis(low, high if high > low else low + 1.0, _LEFT, WIDTH - _RIGHT)
    return x, _Axis(float(ys.min()), float(ys.max()), HEIGHT - _BOTTOM, _TOP)


def _frame(x: _Axis, y: _Axis, x_label: str, percent: bool = False) -> str:
    parts = [_x_ticks(x, HEIGHT - _BOTTOM, HEIGHT - _BOTTOM, 5)]
    for tick in y.ticks(4):
        at = y(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        parts.append(_text("end", _LEFT - 6, at + 4, f"{tick:.0%}" if percent else _tick(tick)))
    parts.append(_text("middle", (x.start + x.end) / 2, HEIGHT - 4, x_label, "label"))
    return "".join(parts)


def _x_ticks(x: _Axis, bottom: float, top: float, about: int) -> str:
    parts = []
    for tick in x.ticks(about):
        at = x(tick)
        parts.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom + 4:.1f}"/>')
        parts.append(_text("middle", at, bottom + 16, _tick(tick)))
    return "".join(parts)


def _tick(value: float) -> str:
    return f"{round(value, 10):,g}" if abs(value) >= 1e-4 or value == 0 else f"{value:.0e}"


def _text(anchor: str, x: float, y: float, text: str, tone: str = "tick") -> str:
    return f'<text class="{tone}" text-anchor="{anchor}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(summary: str, body: str, height: float = HEIGHT) -> Markup:
    return Markup(
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(summary)}">{body}</svg>'
    )
