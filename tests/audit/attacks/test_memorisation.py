from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import mannwhitneyu

from anonderm.audit.attacks.memorisation import (
    MEASURES,
    Sets,
    authentic,
    data_copying,
    distance_ratio,
    equal_sides,
    fit_variances,
    likelihood_gap,
    log_likelihood,
    memorisation,
    nearer,
    standardised_u,
)


def make(random: np.random.Generator, people: int = 60, synthetic: int = 400, copied: int = 0) -> Sets:
    """Gaussian people with two photos each, half of them the reference; `copied` synthetic rows copy it."""
    rows_by_person = random.normal(size=(people, 1, 6)) + random.normal(scale=0.1, size=(people, 2, 6))
    rows = rows_by_person.reshape(-1, 6)
    made = random.normal(size=(synthetic, 6))
    made[:copied] = rows[random.integers(len(rows) // 2, size=copied)] + random.normal(
        scale=0.01, size=(copied, 6)
    )
    owners = [f"p{photo // 2:03d}" for photo in range(2 * people)]
    return sets_of(rows, made, people, owners)


def sets_of(rows: np.ndarray, made: np.ndarray, reference: int, owners: Sequence[str]) -> Sets:
    person = np.unique(owners, return_inverse=True)[1]
    across, among = cdist(made, rows).astype(np.float32), cdist(rows, rows).astype(np.float32)
    return Sets(rows, made, across, among, np.arange(len(rows)) < reference, person)


def points(real: list[float], synthetic: list[float], reference: int, owners: str) -> Sets:
    return sets_of(np.array(real)[:, None], np.array(synthetic)[:, None], reference, tuple(owners))


def test_nearer_counts_synthetic_faces_by_their_nearest_person():
    assert nearer(points([0.0, 10.0], [1.0, 2.0, 9.0, 5.0], 1, "ab")) == pytest.approx((2 + 0.5) / 4)


def test_authentic_faces_have_a_nearest_photo_with_another_person_nearer():
    """Reference a at 0 and 1, b at 3: 0.2 and 4.9 lie nearer than that, 6 does not."""
    sets = points([0.0, 1.0, 3.0, 50.0], [0.2, 4.9, 6.0, -3.5], 3, "aabx")
    assert authentic(sets) == pytest.approx(2 / 4)


def test_the_distance_ratio_ignores_other_photos_of_the_nearest_person():
    sets = points([0.0, 1.0, 10.0, 99.0], [2.0], 3, "aabx")
    assert distance_ratio(sets) == pytest.approx(1 / 8)


def test_the_standardised_u_is_mann_and_whitneys():
    random = np.random.default_rng(2)
    honest, synthetic = random.integers(0, 9, 40).astype(float), random.integers(0, 7, 50).astype(float)
    u = mannwhitneyu(synthetic, honest).statistic
    assert standardised_u(honest, synthetic) == pytest.approx((u - 1000) / np.sqrt(2000 * 91 / 12))


def test_data_copying_is_standard_normal_for_an_honest_generator_and_far_below_for_a_copier():
    random, values = np.random.default_rng(3), []
    for _ in range(60):
        train, test, honest = (random.normal(size=(30, 5)) for _ in range(3))
        values.append(data_copying(train, test, honest, cdist(test, train), cdist(honest, train)))
    assert abs(np.mean(values)) < 0.5
    assert 0.7 < np.std(values) < 1.5  # the shared reference makes it a little wider than 1
    copies = train + random.normal(scale=0.01, size=train.shape)
    assert data_copying(train, test, copies, cdist(test, train), cdist(copies, train)) < -5


def test_every_round_of_fitting_raises_the_likelihood():
    random = np.random.default_rng(4)
    squared = cdist(random.normal(size=(50, 3)), random.normal(size=(30, 3))) ** 2
    means = [log_likelihood(squared, fit_variances(squared, 3, rounds), 3).mean() for rounds in range(8)]
    assert np.all(np.diff(means) > 0)


def test_one_centre_gets_the_variance_of_its_photos():
    """Maximum likelihood for a known mean: the mean squared distance, a coordinate."""
    squared = (np.random.default_rng(5).normal(scale=3.0, size=(400, 2)) ** 2).sum(axis=1, keepdims=True)
    assert fit_variances(squared, 2) == pytest.approx(squared.mean() / 2)
    expected = -squared[:, 0] / squared.mean() - np.log(2 * np.pi * squared.mean() / 2)
    assert log_likelihood(squared, fit_variances(squared, 2), 2) == pytest.approx(expected)


def test_the_likelihood_gap_opens_for_a_copier():
    random = np.random.default_rng(6)
    train, test, honest = (random.normal(size=(80, 4)) for _ in range(3))
    copies = train + random.normal(scale=0.02, size=train.shape)
    gaps = [likelihood_gap(cdist(train, made) ** 2, cdist(test, made) ** 2, 4) for made in (honest, copies)]
    assert gaps[1] > gaps[0] + 50


def test_an_honest_generator_is_hardly_ever_significantly_a_copier():
    random = np.random.default_rng(7)
    found = [memorisation("copy", make(random, 30, 80), random) for _ in range(8)]
    excesses = [attack.excess for attacks in found for attack in attacks]
    assert sum(excess.lower_bound > 0 for excess in excesses) <= 1
    assert np.mean([not each.low <= 0 <= each.high for each in excesses]) < 0.15


def test_a_copier_is_found_by_every_measure():
    attacks = memorisation(
        "copy", make(np.random.default_rng(8), 80, 200, copied=150), np.random.default_rng(0)
    )
    assert [attack.level for attack in attacks] == list(MEASURES)
    assert all(attack.excess.low > 0 for attack in attacks)
    assert sum(attack.excess.lower_bound > 0 for attack in attacks) >= 3


def test_both_sides_have_equally_many_people():
    owners = [f"p{photo // 2}" for photo in range(40)]
    one, two = equal_sides(owners, np.arange(40) < 28, 5, np.random.default_rng(0))
    assert {owners[row] for row in np.flatnonzero(one)} <= {f"p{n}" for n in range(14)}
    assert one.sum() == two.sum() == 10
    one, two = equal_sides(owners, np.arange(40) < 28, 99, np.random.default_rng(0))
    assert one.sum() == two.sum() == 12
