from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from anonderm.embeddings import search
from anonderm.embeddings.matchers.matcher import Templates
from anonderm.embeddings.search import distances, nearest


def described(faces: int, views: int = 1, seed: int = 0, width: int = 16) -> Templates:
    return Templates.of(np.random.default_rng(seed).normal(3, 1, (faces, views, width)).astype(np.float32))


def by_hand(one: Templates, other: Templates) -> np.ndarray:
    """The distances with two loops over views."""
    tables = [
        cdist(one.rows_NVD[:, v].astype(float), other.rows_NVD[:, w].astype(float))
        for v in range(one.rows_NVD.shape[1])
        for w in range(other.rows_NVD.shape[1])
    ]
    return np.min(tables, axis=0)


@pytest.mark.parametrize(("views_a", "views_b", "k"), [(1, 1, 1), (1, 3, 4), (2, 2, 7)])
def test_the_nearest_are_those_of_all_distances(monkeypatch, views_a, views_b, k):
    monkeypatch.setattr(search, "_BLOCK_A", 7)
    monkeypatch.setattr(search, "_BLOCK_B", 11)
    queries, gallery = described(30, views_a), described(50, views_b, 1)
    table = by_hand(queries, gallery)
    found = nearest(queries, gallery, k)
    assert np.array_equal(found.indices_MK, np.argsort(table, axis=1)[:, :k])
    assert found.distances_MK == pytest.approx(np.sort(table, axis=1)[:, :k], abs=1e-12)
    assert distances(queries, gallery) == pytest.approx(table, abs=1e-5)


def test_a_copy_lies_at_distance_0_however_long_its_row_is():
    gallery = Templates.of(described(40).rows_NVD + np.float32(1000))
    found = nearest(gallery[[5, 9]], gallery)
    assert found.distances_M.tolist() == [0, 0]
    assert found.indices_M.tolist() == [5, 9]


def test_a_face_that_is_not_seen_finds_nobody_and_is_found_by_nobody():
    rows = described(6).rows_NVD.copy()
    rows[2] = np.nan
    faces = Templates.of(rows)
    assert faces.failed_to_enrol == 1
    found = nearest(faces, faces, 6)
    assert np.isinf(found.distances_MK[2]).all()
    assert (found.indices_MK[2] == -1).all()
    assert 2 not in found.indices_MK
    assert np.isinf(distances(faces, faces)[:, 2]).all()


def test_nobody_is_found_among_nobody():
    found = nearest(described(3), described(3)[[]], 2)
    assert (found.indices_MK == -1).all()
    assert nearest(described(3)[[]], described(3)).distances_MK.shape == (0, 1)


def test_fewer_faces_than_asked_for_leave_the_rest_empty():
    found = nearest(described(2), described(3, seed=1), 5)
    assert np.isfinite(found.distances_MK).sum(axis=1).tolist() == [3, 3]
    assert (found.indices_MK[:, 3:] == -1).all()
