from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.metrics.bootstrap import interval, jackknife_interval, jackknife_variances, wilson_interval


def test_the_interval_of_a_mean_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        values = rng.normal(3.0, 1.0, 40)
        low, high = interval(lambda rows, v=values: float(v[rows].mean()), range(40), rng, samples=200)
        covered += low <= 3.0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_photos_of_one_person_do_not_count_as_independent():
    rng = np.random.default_rng(1)
    values = np.repeat(rng.normal(size=30), 10)
    people = np.repeat(np.arange(30), 10).tolist()
    low, high = interval(lambda rows: float(values[rows].mean()), people, rng)
    naive_low, naive_high = interval(lambda rows: float(values[rows].mean()), range(300), rng)
    assert high - low > 2 * (naive_high - naive_low)


def test_the_same_generator_gives_the_same_interval():
    values = np.random.default_rng(2).normal(size=20)

    def once() -> tuple[float, float]:
        return interval(lambda rows: float(values[rows].mean()), range(20), np.random.default_rng(3), 50)

    assert once() == once()


def test_resamples_without_a_value_are_left_out():
    values = np.array([1.0, 2.0, 3.0])

    def mean_of_first_two(rows):
        chosen = values[rows][values[rows] < 3]
        return float(chosen.mean()) if len(chosen) else float("nan")

    low, high = interval(mean_of_first_two, range(3), np.random.default_rng(0))
    assert (low, high) == (1.0, 2.0)
    assert np.isnan(interval(lambda rows: float("nan"), range(3), np.random.default_rng(0))).all()


def test_the_jackknife_variance_of_a_mean_is_the_known_one():
    values = np.random.default_rng(4).normal(size=25)
    found = jackknife_variances(
        lambda rows: {"mean": float(values[rows].mean())}, range(25), np.random.default_rng(0), blocks=25
    )
    assert found == pytest.approx({"mean": values.var(ddof=1) / 25})


def test_the_jackknife_leaves_whole_groups_out():
    groups = ["a", "a", "b", "c", "c", "c"]
    seen = []
    jackknife_variances(lambda rows: seen.append(set(rows)) or {}, groups, np.random.default_rng(0))
    assert sorted(map(sorted, seen)) == [[0, 1, 2], [0, 1, 3, 4, 5], [2, 3, 4, 5]]


def test_a_statistic_that_some_replicate_lacks_has_no_variance():
    found = jackknife_variances(
        lambda rows: {"always": 1.0} | ({"rare": 1.0} if 0 in rows else {}),
        range(4),
        np.random.default_rng(0),
    )
    assert found == {"always": 0.0}
    assert jackknife_variances(lambda rows: {"x": 1.0}, ["one"] * 5, np.random.default_rng(0)) == {}


def test_variances_of_independent_samples_add_up():
    assert jackknife_interval(1.0, 9.0, 16.0) == pytest.approx((1 - 5 * 1.959964, 1 + 5 * 1.959964))


def test_the_wilson_interval_is_the_published_one():
    """Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20."""
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_the_wilson_interval_contains_the_share_and_stays_in_range(a: int, b: int):
    low, high = wilson_interval(min(a, b), max(a, b))
    share = min(a, b) / max(a, b, 1)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
