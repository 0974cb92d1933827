"""Charts: the drawing is true to the numbers."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.results.base import Score
from anonderm.publish import charts
from anonderm.publish.charts import Chart, Estimate

finite = st.floats(-1e9, 1e9, allow_nan=False).map(lambda v: 0.0 if abs(v) < 1e-9 else v)


def drawn(chart: Chart | None) -> ElementTree.Element:
    assert chart is not None
    return ElementTree.fromstring(str(chart.svg))


@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=40))
def test_any_finite_line_is_drawn_inside_its_frame(points: list[tuple[float, float]]) -> None:
    svg = drawn(charts.lines("any", {"a": sorted(points)}, "x"))
    path = svg.find("polyline")
    assert path is not None
    for pair in path.attrib["points"].split():
        x, y = map(float, pair.split(","))
        assert -0.1 <= x <= charts.WIDTH + 0.1
        assert -0.1 <= y <= charts.HEIGHT + 0.1


def test_a_higher_value_is_drawn_higher() -> None:
    path = drawn(charts.lines("up", {"a": [(0, 1.0), (1, 2.0), (2, 5.0)]}, "x")).find("polyline")
    heights = [float(pair.split(",")[1]) for pair in path.attrib["points"].split()]  # type: ignore[union-attr]
    assert heights[0] > heights[1] > heights[2]
    assert (heights[0] - heights[1]) * 3 == pytest.approx(heights[1] - heights[2], abs=0.3)


def test_numbers_that_are_not_finite_are_left_out() -> None:
    assert charts.lines("none", {"a": [(0, math.nan), (1, math.inf)]}, "x") is None
    assert charts.histogram("none", {"a": [], "b": [math.nan]}, "x") is None
    path = drawn(charts.lines("one", {"a": [(0, 1.0), (1, math.nan), (2, 2.0)]}, "x")).find("polyline")
    assert len(path.attrib["points"].split()) == 2  # type: ignore[union-attr]


def test_each_group_of_a_histogram_has_the_same_area() -> None:
    rng = np.random.default_rng(0)
    chart = charts.histogram("areas", {"real": rng.normal(size=50), "synthetic": rng.normal(size=900)}, "x")
    areas = []
    for polygon in drawn(chart).iter("polygon"):
        points = np.array([[float(v) for v in pair.split(",")] for pair in polygon.attrib["points"].split()])
        x, y = points.T
        areas.append(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)
    assert areas[0] == pytest.approx(areas[1], rel=0.02)


def test_real_and_synthetic_keep_their_colours() -> None:
    chart = charts.histogram("tones", {"synthetic": [1.0, 2.0], "real": [1.0, 3.0]}, "x")
    assert chart is not None
    assert [tone for _, tone in chart.legend] == ["synthetic", "real"]


def test_a_whisker_spans_the_interval_and_the_dot_lies_in_it() -> None:
    rows = [Estimate("a", Score(0.5, 0.4, 0.9), "real"), Estimate("b", Score(0.2), "real")]
    svg = drawn(charts.intervals("scores", rows, "x", within=(0.0, 1.0), mark=("chance", 0.25)))
    whiskers = [line for line in svg.iter("line") if "whisker" in line.attrib["class"]]
    dots = [float(dot.attrib["cx"]) for dot in svg.iter("circle")]
    assert len(whiskers) == 1
    assert float(whiskers[0].attrib["x1"]) < dots[0] < float(whiskers[0].attrib["x2"])
    assert dots[1] < dots[0]
    assert "chance" in "".join(svg.itertext())


def test_names_are_escaped() -> None:
    chart = charts.intervals('<b>"x"</b>', [Estimate("<script>", Score(1.0), "real")], "a & b")
    assert "<script>" not in str(chart.svg)  # type: ignore[union-attr]
    drawn(chart)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_every_number_reads_back_to_three_digits(value: float) -> None:
    text = charts.number(value)
    if not math.isfinite(value):
        assert text == "not defined"
    elif abs(value) < 1e15:
        assert float(text.replace(",", "")) == pytest.approx(value, rel=6e-3, abs=1e-300)


def test_ticks_are_round_numbers_within_the_range() -> None:
    svg = drawn(charts.lines("t", {"a": [(0, 3.0), (97, 811.0)]}, "x"))
    ticks = [float(str(text.text)) for text in svg.iter("text") if text.attrib["class"] == "tick"]
    assert ticks == [0, 20, 40, 60, 80, 0, 250, 500, 750]
