import numpy as np
import pytest

from anonderm.embeddings.people.threshold import BINS, choose, count_distances, expected_false

PUBLISHED = 0.6


def people(count, photos, within=0.02, seed=0, spread=0.075):
    """Descriptors of `photos` photos of each person, and who is shown."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, spread, (count, 128))
    shown = np.repeat(np.arange(count), photos)
    return (centres[shown] + rng.normal(0, within, (len(shown), 128))).astype(np.float32), shown


def test_known_people_give_genuine_and_impostor_pairs():
    descriptors, shown = people(5, 3)
    counts = count_distances(descriptors, [f"p{person}" if person < 4 else None for person in shown])
    assert (counts.all.sum(), counts.genuine.sum(), counts.impostor.sum()) == (105, 12, 54)


def test_known_people_set_the_threshold_between_the_two_kinds_of_pairs():
    descriptors, shown = people(20, 2)
    counts = count_distances(descriptors, [f"p{person}" for person in shown])
    threshold = choose(counts, PUBLISHED)
    assert (
        BINS[np.flatnonzero(counts.genuine).max()]
        < threshold.value
        < BINS[np.flatnonzero(counts.impostor).min()]
    )
    assert "calibrated on 20 genuine" in threshold.how
    assert "FNMR 0.0%, FMR 0.00%" in threshold.how


def test_the_published_threshold_is_kept_where_impostor_pairs_are_far_apart():
    descriptors, shown = people(40, 1, spread=0.09)
    threshold = choose(count_distances(descriptors, [None] * len(shown)), PUBLISHED)
    assert (threshold.value, threshold.how) == (PUBLISHED, "published")


def test_it_is_lowered_where_it_would_join_impostor_pairs():
    descriptors, shown = people(60, 1, spread=0.04)
    counts = count_distances(descriptors, [None] * len(shown))
    threshold = choose(counts, PUBLISHED)
    assert threshold.value < PUBLISHED
    assert "would join about" in threshold.how
    assert expected_false(counts, threshold.value) <= 0.01 * 60 < expected_false(counts, PUBLISHED)


def test_the_expected_number_of_false_pairs_follows_their_distribution():
    rng = np.random.default_rng(0)
    counts = np.histogram(rng.normal(0.8, 0.08, 1_000_000), BINS)[0]
    distances = count_distances(people(30, 1)[0], [None] * 30)
    described = type(distances)(1000, counts, distances.genuine, distances.impostor)
    assert expected_false(described, 0.64) == pytest.approx(22750, rel=0.05)  # two deviations below


def test_with_few_photos_the_published_threshold_is_reported_as_unchecked():
    descriptors, _ = people(5, 1, spread=0.01)
    threshold = choose(count_distances(descriptors, [None] * 5), PUBLISHED)
    assert threshold.value == PUBLISHED
    assert "too few" in threshold.how


def test_the_users_threshold_is_used_unchanged():
    descriptors, _ = people(30, 1)
    assert choose(count_distances(descriptors, [None] * 30), PUBLISHED, 0.3).value == 0.3
