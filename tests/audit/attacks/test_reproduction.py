from __future__ import annotations

import numpy as np
import pytest

from anonderm.audit.attacks.nearest_synthetic import NearestSynthetic
from anonderm.audit.attacks.reproduction import chance_limit, reproduction


def nearest_faces(distances: np.ndarray) -> NearestSynthetic:
    count = len(distances)
    people = tuple(f"p{row:05d}" for row in range(count))
    return NearestSynthetic(distances[:, None], np.arange(count)[:, None], people, np.arange(count))


def test_the_distance_is_that_of_a_power_law():
    """P(D <= d) = d ** 8: one person of 10,000 is within 10 ** (-4 / 8)."""
    distances = (np.arange(1, 50_001) / 50_001) ** (1 / 8)
    assert chance_limit(distances, 1e-4) == pytest.approx(10 ** (-4 / 8), rel=0.02)
    assert chance_limit(distances, 1e-4) < 10 ** (-4 / 8)


def test_an_honest_set_hardly_ever_appears_to_contain_a_copy():
    """Distances from points to the nearest of 300 others, in 12 dimensions."""
    from scipy.spatial.distance import cdist

    random, found = np.random.default_rng(0), 0
    for _ in range(60):
        synthetic = random.normal(size=(300, 12))
        nearest = cdist(random.normal(size=(480, 12)), synthetic).min(axis=1)
        attack = reproduction("copy", nearest_faces(nearest[:400]), nearest_faces(nearest[400:]))
        assert attack is not None
        found += attack.main.successes > 0
    assert found <= 2


def test_a_single_copy_among_hundreds_is_significant_and_shown_as_a_pair():
    distances = np.random.default_rng(1).weibull(10, 700)
    distances[17] = 0.05
    attack = reproduction("copy", nearest_faces(distances[:600]), nearest_faces(distances[600:]))
    assert attack is not None
    assert attack.main.successes == 1
    assert attack.excess.lower_bound > 0
    assert [(case.real, case.synthetic) for case in attack.worst] == [(17, 17)]


def test_too_few_non_members_do_not_determine_the_tail():
    distances = np.random.default_rng(1).weibull(10, 149)
    assert reproduction("copy", nearest_faces(distances[:100]), nearest_faces(distances[100:])) is None


def test_non_members_at_distance_0_give_the_limit_0():
    assert chance_limit(np.array([0.0, *np.linspace(1, 2, 60)]), 1e-3) == 0.0
    assert chance_limit(np.ones(60), 1e-3) == 0.0
