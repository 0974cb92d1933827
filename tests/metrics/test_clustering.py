import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from anonderm.metrics.clustering import cluster


def partition(numbers):
    """Which items are together, whatever the groups are called."""
    return [list(numbers).index(number) for number in numbers]


def nobody(count):
    return [None] * count


@pytest.mark.parametrize("threshold", [0.2, 0.6, 0.9, 1.3])
def test_clusters_are_those_of_average_linkage_over_all_photos(threshold):
    rng = np.random.default_rng(1)
    descriptors = rng.normal(0, 0.07, (60, 128)).astype(np.float32)
    descriptors[30:] = descriptors[:30] + rng.normal(0, 0.03, (30, 128))
    expected = fcluster(linkage(descriptors.astype(float), "average"), threshold, "distance")
    assert partition(cluster(descriptors, nobody(60), nobody(60), threshold)) == partition(expected)


def line(*places):
    descriptors = np.zeros((len(places), 128), np.float32)
    descriptors[:, 0] = places
    return descriptors


def test_known_people_stay_together_and_apart():
    descriptors = line(0, 1, 0.05, 0.1)
    known = ["anna", "anna", "bert", None]
    found = cluster(descriptors, known, nobody(4), 0.3)
    assert found[0] == found[1] != found[2]
    assert found[3] == found[2]


def test_copies_of_one_original_stay_together_and_may_join_others():
    found = cluster(line(0, 1, 0.1), nobody(3), ["a.jpg", "a.jpg", None], 0.6)
    assert found[0] == found[1] == found[2]
    assert len(set(cluster(line(0, 1, 0.1), nobody(3), nobody(3), 0.6))) == 2


def test_a_chain_of_neighbours_is_not_one_person():
    found = cluster(line(*np.arange(12) * 0.5), nobody(12), nobody(12), 0.6)
    assert len(set(found)) > 3


def test_one_photo_is_one_person():
    assert cluster(line(0), [None], [None], 0.6).tolist() == [0]


def test_blocks_do_not_change_the_people(monkeypatch):
    descriptors = np.random.default_rng(2).normal(0, 0.05, (50, 128)).astype(np.float32)
    whole = cluster(descriptors, nobody(50), nobody(50), 0.75)
    monkeypatch.setattr("anonderm.metrics.pairwise._TILE_ROWS", 4)
    monkeypatch.setattr("anonderm.metrics.pairwise._TILE_COLUMNS", 8)
    assert partition(cluster(descriptors, nobody(50), nobody(50), 0.75)) == partition(whole)
