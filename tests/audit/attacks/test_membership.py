from __future__ import annotations

import numpy as np
import pytest

from anonderm.audit.attacks.membership import allowed, area_under_curve, domias, gan_leaks, membership
from anonderm.audit.attacks.nearest_synthetic import NearestSynthetic


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def slow_auc(main: np.ndarray, control: np.ndarray) -> float:
    return float(np.mean((main[:, None] > control) + 0.5 * (main[:, None] == control)))


def test_the_area_counts_pairs_and_ties_half():
    random = np.random.default_rng(1)
    main, control = random.integers(0, 6, 40).astype(float), random.integers(0, 5, 30).astype(float)
    attack = area_under_curve("membership", "copy", main, control, rng())
    assert attack.main.value == pytest.approx(slow_auc(main, control))
    assert attack.excess.value == pytest.approx(slow_auc(main, control) - 0.5)
    assert attack.baseline == 0.5


def test_the_areas_interval_is_that_of_resampling_people():
    random = np.random.default_rng(2)
    main, control = random.normal(size=150), random.normal(size=80)
    excess = area_under_curve("membership", "copy", main, control, rng()).excess
    slow = [slow_auc(random.choice(main, 150), random.choice(control, 80)) - 0.5 for _ in range(2000)]
    low, high = np.quantile(slow, (0.025, 0.975))
    assert excess.low == pytest.approx(low, abs=0.015)
    assert excess.high == pytest.approx(high, abs=0.015)


def test_gaussian_scores_give_the_area_of_the_closed_form():
    """AUC of N(d, 1) against N(0, 1) is Phi(d / sqrt 2): 0.7602 for d = 1."""
    random = np.random.default_rng(3)
    main, control = random.normal(1, 1, 2000), random.normal(0, 1, 2000)
    assert area_under_curve("membership", "copy", main, control, rng()).main.value == pytest.approx(
        0.7602, abs=0.02
    )


def test_three_people_far_from_three_others_show_nothing():
    attack = area_under_curve("membership", "copy", np.array([5.0, 6, 7]), np.array([1.0, 2, 3]), rng())
    assert attack.main.value == 1.0
    assert attack.excess.lower_bound < 0


@pytest.mark.parametrize(
    ("share", "control", "k"), [(0.05, 18, 0), (0.05, 19, 1), (0.01, 99, 1), (0.001, 998, 0)]
)
def test_a_false_positive_rate_needs_enough_non_members(share: float, control: int, k: int):
    assert allowed(share, control) == k


def test_true_positives_are_those_above_all_but_few_non_members():
    main = np.array([0.5, 3.0, 9.0, 10.0])
    attacks = {
        attack.level: attack for attack in membership("membership", "copy", main, np.arange(39.0) / 4, rng())
    }
    assert set(attacks) == {"AUC", "TPR at FPR 5%"}
    found = attacks["TPR at FPR 5%"]
    assert found.main.successes == 1  # above 9.25, the second highest of 39
    assert found.baseline == 2 / 40
    assert found.excess.value == pytest.approx(1 / 4 - 2 / 40)


def test_without_an_effect_hardly_any_attack_is_significant_and_the_interval_covers_zero():
    random, significant, outside = np.random.default_rng(4), 0, 0
    for _ in range(30):
        for attack in membership("m", "copy", random.normal(size=200), random.normal(size=120), random):
            significant += attack.excess.lower_bound > 0
            outside += not attack.excess.low <= 0 <= attack.excess.high
    assert significant <= 1  # of 90, each at 0.1%
    assert outside / 90 < 0.08


def test_a_few_copied_people_are_found_at_a_low_false_positive_rate():
    random = np.random.default_rng(5)
    main, control = random.normal(size=400), random.normal(size=200)
    main[:40] += 8
    attacks = {attack.level: attack for attack in membership("m", "copy", main, control, rng())}
    assert attacks["TPR at FPR 1%"].main.value >= 0.1
    assert attacks["TPR at FPR 1%"].excess.lower_bound > 0


def test_gan_leaks_scores_a_person_by_their_nearest_synthetic_face():
    photos = NearestSynthetic(
        np.array([[3.0], [1.0], [2.0]]), np.zeros((3, 1), int), ("b", "a", "b"), np.arange(3)
    )
    assert gan_leaks(photos).tolist() == [-1.0, -2.0]


def test_domias_is_the_log_ratio_of_two_densities():
    """A row 2 times as far from the reference as from the synthetic set, in 3 dimensions: 2 ** 3."""
    scores = domias([0.5, 1.0, 1.0], [1.0, 1.0, 0.5], ("b", "a", "b"), 3)
    assert scores == pytest.approx([0.0, 3 * np.log(2)])


def test_domias_ranks_gaussians_as_their_true_density_ratio():
    """Synthetic N(0, 1/4), reference N(0, 1) in two dimensions: the log ratio falls with the distance from
    0."""
    from scipy.spatial.distance import cdist

    random = np.random.default_rng(6)
    synthetic, reference = random.normal(0, 0.5, (4000, 2)), random.normal(0, 1, (4000, 2))
    rows = np.array([[0.0, 0.0], [0.4, 0.0], [0.8, 0.0], [1.1, 0.0]])
    kth = [np.partition(cdist(rows, side), 49, axis=1)[:, 49] for side in (synthetic, reference)]
    true = np.log(4) - 1.5 * (rows**2).sum(axis=1)
    assert domias(*kth, tuple("abcd"), 2) == pytest.approx(true, abs=0.5)
