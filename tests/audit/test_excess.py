from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from anonderm.audit.excess import ONE_SIDED_ERROR, excess_of_rates, newcombe, rate, resampled_means
from anonderm.metrics.bootstrap import wilson_interval


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def successes(count: int, people: int) -> np.ndarray:
    return np.arange(people) < count


def test_newcombes_interval_is_the_published_one():
    """Newcombe 1998, table II, method 10: 56/70 - 48/80 and 9/10 - 3/10."""
    assert newcombe(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert newcombe(9 / 10, 10, 3 / 10, 10) == pytest.approx((0.1705, 0.8090), abs=5e-5)


def test_the_excess_is_the_difference_of_the_rates_and_its_interval_contains_it():
    excess = excess_of_rates(successes(30, 100), successes(12, 80), rng())
    assert excess.value == pytest.approx(0.30 - 0.15)
    assert excess.lower_bound < excess.low < excess.value < excess.high


def test_the_interval_does_not_vanish_if_nobody_is_found():
    excess = excess_of_rates(successes(0, 200), successes(0, 50), rng())
    assert excess.value == 0
    assert excess.high == pytest.approx(wilson_interval(0, 200)[1])
    assert excess.low == pytest.approx(-wilson_interval(0, 50)[1])


def test_without_an_effect_the_interval_covers_zero_at_about_the_nominal_rate():
    """Both arms succeed in 10%; the widened interval may only cover more."""
    random, missed = np.random.default_rng(1), 0
    for _ in range(200):
        excess = excess_of_rates(random.random(150) < 0.1, random.random(60) < 0.1, random)
        missed += not excess.low <= 0 <= excess.high
    assert missed / 200 < 0.07


def test_a_real_effect_is_significant():
    assert excess_of_rates(successes(60, 200), successes(5, 100), rng()).lower_bound > 0


def test_without_an_effect_hardly_any_excess_is_significant():
    random = np.random.default_rng(2)
    excesses = [
        excess_of_rates(random.random(100) < 0.3, random.random(40) < 0.3, random) for _ in range(200)
    ]
    assert np.mean([excess.lower_bound > 0 for excess in excesses]) <= 10 * ONE_SIDED_ERROR


@pytest.mark.parametrize("choices", [3, 40])
def test_resampling_distinct_values_is_resampling_people(choices: int):
    values = np.random.default_rng(3).choice(np.linspace(0, 1, choices), 80)
    means = resampled_means(values, rng(), 20_000)
    slow = np.random.default_rng(4).choice(values, (20_000, 80)).mean(axis=1)
    assert means.mean() == pytest.approx(values.mean(), abs=0.002)
    assert np.quantile(means, (0.025, 0.975)) == pytest.approx(np.quantile(slow, (0.025, 0.975)), abs=0.006)


def test_a_rate_has_wilsons_interval():
    arm = rate(successes(3, 20))
    assert (arm.value, arm.people, arm.successes) == (0.15, 20, 3)
    assert (arm.low, arm.high) == wilson_interval(3, 20)


def test_wilsons_interval_at_another_level_is_the_root_of_the_score_equation():
    low, high = wilson_interval(7, 30, tail=0.001)
    z = NormalDist().inv_cdf(0.999)
    for bound in (low, high):
        assert abs(7 / 30 - bound) / np.sqrt(bound * (1 - bound) / 30) == pytest.approx(z)
