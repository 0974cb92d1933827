import numpy as np

from anonderm.embeddings.people.chance import BINS, Chance
from anonderm.embeddings.people.threshold import Distances, choose, count_distances

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
    chance = Chance.of(counts.all)
    assert chance.expected_below(threshold.value) <= 0.5 < chance.expected_below(PUBLISHED)


def mixture(genuine: int, mean: float, of_impostors: float = 0.8) -> Distances:
    """Normal distances of two kinds."""
    rng = np.random.default_rng(0)
    drawn = np.concatenate([rng.normal(of_impostors, 0.08, 400_000), rng.normal(mean, 0.06, genuine)])
    nothing = np.zeros(len(BINS) - 1, np.int64)
    return Distances(1000, np.histogram(drawn, BINS)[0], nothing, nothing)


def test_a_network_that_sees_the_same_people_closer_than_others_tells_them_apart():
    threshold = choose(mixture(300, 0.25), PUBLISHED)
    assert threshold.tells_apart
    assert threshold.recall > 0.9


def test_a_network_that_hardly_finds_anybody_again_does_not_tell_people_apart():
    threshold = choose(mixture(300, 0.45, of_impostors=0.5), PUBLISHED)
    assert not threshold.tells_apart
    assert threshold.recall < 0.5


def test_people_of_whom_each_has_one_photo_are_told_apart_by_a_network_that_could_find_them():
    rng = np.random.default_rng(0)
    nothing = np.zeros(len(BINS) - 1, np.int64)
    counts = np.histogram(rng.normal(0.95, 0.06, 400_000), BINS)[0]
    assert choose(Distances(900, counts, nothing, nothing), PUBLISHED).tells_apart


def test_a_reviewers_pairs_calibrate_like_known_people():
    descriptors, shown = people(12, 2)
    same = [(2 * n, 2 * n + 1) for n in range(12)]
    different = [(2 * n, 2 * n + 2) for n in range(11)]
    counts = count_distances(descriptors, [None] * len(shown), same, different)
    assert (counts.genuine.sum(), counts.impostor.sum()) == (12, 11)
    assert "calibrated on 12 genuine" in choose(counts, PUBLISHED).how


def test_with_few_photos_the_published_threshold_is_reported_as_unchecked():
    descriptors, _ = people(5, 1, spread=0.01)
    threshold = choose(count_distances(descriptors, [None] * 5), PUBLISHED)
    assert threshold.value == PUBLISHED
    assert "too few" in threshold.how


def test_the_users_threshold_is_used_unchanged():
    descriptors, _ = people(30, 1)
    assert choose(count_distances(descriptors, [None] * 30), PUBLISHED, 0.3).value == 0.3
