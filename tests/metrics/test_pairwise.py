from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from anonderm.metrics import pairwise
from anonderm.metrics.pairwise import distances, nearest, pairs_within, repeats, smallest

seeds = st.integers(0, 2**31)


def sample(items: int, views: int = 1, seed: int = 0, width: int = 16) -> np.ndarray:
    return np.random.default_rng(seed).normal(3, 1, (items, views, width)).astype(np.float32)


def slow_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """With two loops over views, in float64."""
    views = [(a, b) for a in range(one.shape[1]) for b in range(other.shape[1])]
    tables = [cdist(one[:, a].astype(float), other[:, b].astype(float)) for a, b in views]
    return np.min(tables, axis=0)


@pytest.mark.parametrize(("views_a", "views_b", "k"), [(1, 1, 1), (1, 3, 4), (2, 2, 7)])
def test_the_nearest_are_those_of_all_distances(monkeypatch, views_a, views_b, k):
    monkeypatch.setattr(pairwise, "_TILE_ROWS", 7)
    monkeypatch.setattr(pairwise, "_TILE_COLUMNS", 11)
    queries, gallery = sample(30, views_a), sample(50, views_b, 1)
    table = slow_distances(queries, gallery)
    found = nearest(queries, gallery, k)
    assert np.array_equal(found.indices_MK, np.argsort(table, axis=1)[:, :k])
    assert found.distances_MK == pytest.approx(np.sort(table, axis=1)[:, :k], abs=1e-12)
    assert distances(queries, gallery) == pytest.approx(table, abs=1e-5)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 5), st.sampled_from([np.float32, np.float64]))
def test_nearest_equals_sorting_all_distances_and_breaks_ties_by_index(seed: int, k: int, dtype):
    """Whole numbers from a small range: most distances are tied with others."""
    rng = np.random.default_rng(seed)
    queries, gallery = (rng.integers(0, 3, (rows, 1, 3)).astype(dtype) for rows in (6, 40))
    table = slow_distances(queries, gallery)
    found = nearest(queries[:, 0], gallery[:, 0], k)
    assert np.array_equal(found.indices_MK, np.argsort(table, axis=1, kind="stable")[:, :k])
    assert found.distances_MK == pytest.approx(np.sort(table, axis=1)[:, :k])


def test_a_copy_is_at_distance_zero_exactly():
    gallery = sample(50, width=300)[:, 0] * np.float32(1e3)
    found = nearest(gallery[[7, 3]], gallery)
    assert found.distances_MK.tolist() == [[0.0], [0.0]]
    assert found.indices_M.tolist() == [7, 3]


def test_a_copy_is_at_distance_zero_however_long_its_row_is():
    gallery = sample(40) + np.float32(1000)
    found = nearest(gallery[[5, 9]], gallery)
    assert found.distances_M.tolist() == [0, 0]
    assert found.indices_M.tolist() == [5, 9]


def test_rows_too_close_for_products_are_still_ordered_exactly():
    """Two clusters far apart: products in float32 cannot tell the rows of one cluster from each other."""
    rng = np.random.default_rng(0)
    gallery = np.concatenate([rng.normal(0, 1e-4, (50, 8)), rng.normal(100, 1, (50, 8))])
    queries = rng.normal(0, 1e-4, (20, 8))
    table = cdist(queries, gallery)
    found = nearest(queries, gallery, 3)
    assert np.array_equal(found.indices_MK, np.argsort(table, axis=1)[:, :3])


def test_an_item_with_nan_finds_nothing_and_is_never_found():
    rows = sample(6).copy()
    rows[2] = np.nan
    found = nearest(rows, rows, 6)
    assert np.isinf(found.distances_MK[2]).all()
    assert (found.indices_MK[2] == -1).all()
    assert 2 not in found.indices_MK
    assert np.isinf(distances(rows, rows)[:, 2]).all()


def test_an_empty_gallery_gives_no_neighbours():
    found = nearest(sample(3), sample(3)[[]], 2)
    assert (found.indices_MK == -1).all()
    assert nearest(sample(3)[[]], sample(3)).distances_MK.shape == (0, 1)


def test_a_gallery_of_fewer_than_k_items_leaves_the_rest_empty():
    found = nearest(sample(2), sample(3, seed=1), 5)
    assert np.isfinite(found.distances_MK).sum(axis=1).tolist() == [3, 3]
    assert (found.indices_MK[:, 3:] == -1).all()


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_items_of_the_own_group_are_skipped(seed: int, people: int):
    rng = np.random.default_rng(seed)
    rows, reference = rng.normal(size=(2, 14, 3)).astype(np.float32)
    person = np.array([0, 1, *rng.integers(0, people, 12)])
    table = cdist(rows.astype(float), reference.astype(float))
    table[person[:, None] == person] = np.inf
    found = nearest(rows, reference, exclude=(person.tolist(), person.tolist()))
    assert found.distances_M == pytest.approx(table.min(axis=1))
    assert np.array_equal(found.indices_M, table.argmin(axis=1))


def test_a_query_whose_group_is_the_whole_gallery_finds_nothing():
    found = nearest(np.zeros((4, 2)), np.zeros((4, 2)), exclude=(["anna"] * 4, ["anna"] * 4))
    assert np.isinf(found.distances_M).all()
    assert (found.indices_M == -1).all()


@pytest.mark.parametrize("tile", [512, 7])
def test_every_pair_of_a_set_occurs_once(monkeypatch, tile: int):
    monkeypatch.setattr(pairwise, "_TILE_ROWS", tile)
    monkeypatch.setattr(pairwise, "_TILE_COLUMNS", 2 * tile)
    rows = sample(40)[:, 0]
    found = {}
    for one, two, distances_AB in pairs_within(rows):
        for row, column in np.argwhere(np.isfinite(distances_AB)):
            pair = (int(row) + one.start, int(column) + two.start)
            assert pair not in found
            found[pair] = float(distances_AB[row, column])
    assert set(found) == {(one, two) for two in range(40) for one in range(two)}
    for (one, two), distance in found.items():
        assert distance == pytest.approx(np.linalg.norm(rows[one] - rows[two]), abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(seeds, st.integers(1, 12), st.integers(12, 400))
def test_the_smallest_of_each_row_are_found(seed: int, k: int, columns: int):
    """Few different values, so that many are equal; no column occurs twice."""
    table = np.random.default_rng(seed).integers(0, 60, (5, columns)).astype(float)
    found, where = smallest(table, k)
    assert np.array_equal(np.sort(found), np.sort(table)[:, :k])
    assert np.array_equal(np.take_along_axis(table, where, 1), found)
    assert all(len(set(row)) == k for row in where.tolist())


@pytest.mark.parametrize("k", [3, 9])
def test_no_item_is_found_twice_where_few_are_allowed(k: int):
    rows = sample(9).copy()
    rows[3:] = np.nan
    found = nearest(rows, rows, k)
    assert np.sort(found.indices_MK[0, :3]).tolist() == [0, 1, 2]
    assert (found.indices_MK[:, 3:] == -1).all()


def slow_repeats(rows, limit):
    kept, found = [], {}
    for index, row in enumerate(rows):
        near = [(earlier, np.linalg.norm(row - rows[earlier])) for earlier in kept]
        near = [pair for pair in near if pair[1] < limit]
        if near:
            found[index] = near[0]
        else:
            kept.append(index)
    return found


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 7))
def test_repeats_equal_the_plain_search_whatever_the_tile(seed, tile):
    rows = np.random.default_rng(seed).normal(size=(30, 2)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pairwise, "_TILE_ROWS", tile)
        found = repeats(rows, 0.5)
    expected = slow_repeats(rows, 0.5)
    assert {row: earlier for row, (earlier, _) in found.items()} == {
        row: earlier for row, (earlier, _) in expected.items()
    }


def test_of_a_chain_of_neighbours_every_second_is_kept():
    rows = np.arange(5, dtype=np.float32)[:, None]
    assert set(repeats(rows, 1.5)) == {1, 3}
