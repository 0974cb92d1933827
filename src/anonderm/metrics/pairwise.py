"""Distances between embeddings: tiles of all pairs, nearest neighbours, near-duplicate rows.

Squared distances come from matrix products, |a|^2 + |b|^2 - 2 a.b, tile by tile, so memory stays flat. In
float32, such a sum is off by up to about 1e-6 of |a|^2. Distances that `nearest` returns, or that decide
something, are computed again from differences in float64, so that a copy lies at exactly 0.

Rows are arrays [N, D], or [N, V, D] with several views of each item; the distance between two items is then
the smallest over their views. An item with NaN in it has an infinite distance to everything.
"""

# N, M items, V, W views, D features, K neighbours, C candidates, A x B items of a tile, H chosen pairs

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonderm.core.progress import Bar

Rows = NDArray[np.floating[Any]]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

# A tile fits in the processor's cache.
_TILE_ROWS, _TILE_COLUMNS = 512, 2048
_FEW = 8  # values that are found faster one by one
_SPARE = 2  # candidates beyond K, as products round
_ROUNDING = 16 * float(np.finfo(np.float32).eps)  # of squared distances, as a share of squared lengths

Groups = Sequence[Hashable]


@dataclass(frozen=True)
class Tile:
    """Products and squared distances of some rows of one set with some rows of another.

    mirrored: in a comparison of a set with itself, the tile also stands for its transpose.
    """

    rows: slice
    columns: slice
    products_AB: Rows
    squared_AB: Rows
    mirrored: bool


def tiles(one_ND: Rows, other_MD: Rows) -> Iterator[Tile]:
    """All pairs of rows; of a set with itself (`one_ND is other_MD`), only tiles on or above the diagonal."""
    same, squares_N, squares_M = one_ND is other_MD, squared_lengths(one_ND), squared_lengths(other_MD)
    for square in _ranges(len(one_ND), _TILE_COLUMNS):
        for columns in _ranges(len(other_MD), _TILE_COLUMNS, square.start if same else 0):
            for rows in _ranges(square.stop, _TILE_ROWS, square.start):
                products_AB = one_ND[rows] @ other_MD[columns].T
                squared_AB = products_AB * -2
                squared_AB += squares_N[rows, None]
                squared_AB += squares_M[columns]
                np.maximum(squared_AB, 0, out=squared_AB)
                yield Tile(rows, columns, products_AB, squared_AB, same and square.start != columns.start)


def pairs_within(rows_ND: Rows) -> Iterator[tuple[slice, slice, NDArray[np.float32]]]:
    """Row range, column range and distances [A, B] of one set, each pair once; other entries are infinite."""
    rows = rows_ND.astype(np.float64)
    for tile in tiles(rows, rows):
        distances_AB = np.sqrt(tile.squared_AB)
        if not tile.mirrored:
            row_A, column_B = (np.arange(each.start, each.stop) for each in (tile.rows, tile.columns))
            distances_AB[row_A[:, None] >= column_B] = np.inf
        yield tile.rows, tile.columns, distances_AB.astype(np.float32)


def distances(queries: ArrayLike, gallery: ArrayLike) -> NDArray[np.float32]:
    """All distances [M, N], for sets of which they fit in memory; rounded as products round."""
    query_MVD, gallery_NVD = _with_views(queries), _with_views(gallery)
    table_MN = np.empty((len(query_MVD), len(gallery_NVD)), np.float32)
    for rows in _ranges(len(query_MVD), _TILE_ROWS):
        for columns, squared_AB in _squared_blocks(query_MVD[rows], gallery_NVD, _centre(gallery_NVD)):
            table_MN[rows, columns] = np.sqrt(np.maximum(squared_AB, 0))
    return table_MN


@dataclass(frozen=True)
class Neighbours:
    """distances_MK ascending, ties by index; infinite, with index -1, where there are fewer than K."""

    distances_MK: Floats
    indices_MK: Indices

    @property
    def distances_M(self) -> Floats:
        """To the nearest."""
        return self.distances_MK[:, 0]

    @property
    def indices_M(self) -> Indices:
        return self.indices_MK[:, 0]


def nearest(
    queries: ArrayLike,
    gallery: ArrayLike,
    k: int = 1,
    exclude: tuple[Groups, Groups] | None = None,
    bar: Bar | None = None,
) -> Neighbours:
    """The k nearest items of the gallery for each query.

    exclude: the group (person) of each query and of each item of the gallery; items of a query's own group
    are skipped. The bar advances by one a query.
    """
    query_MVD, gallery_NVD = _with_views(queries), _with_views(gallery)
    codes_M, codes_N = _codes(exclude, len(query_MVD), len(gallery_NVD))
    search = _Search(gallery_NVD, codes_N, k)
    found = Neighbours(np.full((len(query_MVD), k), np.inf), np.full((len(query_MVD), k), -1, np.intp))
    for rows in _ranges(len(query_MVD), _TILE_ROWS):
        distances_AK, indices_AK = search.nearest(query_MVD[rows], codes_M[rows])
        found.distances_MK[rows, : distances_AK.shape[1]] = distances_AK
        found.indices_MK[rows, : indices_AK.shape[1]] = indices_AK
        if bar is not None:
            bar.advance(len(distances_AK))
    return found


def repeats(rows_ND: Rows, limit: float) -> dict[int, tuple[int, float]]:
    """Rows closer than `limit` to an earlier row that is no repeat itself: row -> (earlier row, distance)."""
    found: dict[int, tuple[int, float]] = {}
    kept_E = np.zeros(0, np.intp)
    slack = 2 * _ROUNDING * _longest(rows_ND[:, None], _centre(rows_ND[:, None]))
    for rows in _ranges(len(rows_ND), _TILE_ROWS):
        block_A = np.arange(rows.start, rows.stop)
        earlier_E = np.concatenate([kept_E, block_A])
        near_AE = distances(rows_ND[block_A], rows_ND[earlier_E]) ** 2 < limit**2 + slack
        for row, near_E in zip(block_A.tolist(), near_AE, strict=True):
            for earlier in earlier_E[near_E & (earlier_E < row)].tolist():
                distance = float(np.linalg.norm(rows_ND[row].astype(np.float64) - rows_ND[earlier]))
                if earlier not in found and distance < limit:
                    found[row] = (earlier, distance)
                    break
        kept_E = np.array([row for row in earlier_E.tolist() if row not in found], np.intp)
    return found


def smallest(values_AB: Rows, k: int) -> tuple[Rows, Indices]:
    """The k smallest values [A, K] of each row and their columns, in no order.

    Columns may repeat where a row has fewer than k finite values; the value is infinite then.
    """
    if k > _FEW:
        column_AK = np.argpartition(values_AB, k - 1, axis=1)[:, :k]
        return np.take_along_axis(values_AB, column_AK, axis=1), column_AK
    rest_AB, row_A = values_AB.copy() if k > 1 else values_AB, np.arange(len(values_AB))
    smallest_AK, column_AK = np.empty((len(row_A), k), values_AB.dtype), np.empty((len(row_A), k), np.intp)
    for place in range(k):
        column_A = rest_AB.argmin(axis=1)
        smallest_AK[:, place], column_AK[:, place] = rest_AB[row_A, column_A], column_A
        if place + 1 < k:
            rest_AB[row_A, column_A] = np.inf
    return smallest_AK, column_AK


def rounding(one_ND: Rows, other_MD: Rows) -> float:
    """An upper bound of the error of squared distances in `tiles`."""
    largest = float(squared_lengths(one_ND).max()) + float(squared_lengths(other_MD).max())
    return 16 * float(np.finfo(one_ND.dtype).eps) * largest


def exact_squared(
    one_ND: Rows, rows_H: NDArray[np.integer], other_MD: Rows, others_H: NDArray[np.integer], batch: int = 64
) -> Floats:
    """Squared distances [H] of chosen pairs of rows, from differences in float64."""
    squared_H = np.empty(len(rows_H))
    for part in _ranges(len(rows_H), batch):
        apart_HD = one_ND[rows_H[part]].astype(np.float64) - other_MD[others_H[part]]
        squared_H[part] = np.einsum("hd,hd->h", apart_HD, apart_HD)
    return squared_H


def _squared_blocks(
    query_AVD: Rows, gallery_NVD: Rows, centre_D: Floats
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Column range and squared distances [A, B] of the queries to these items; perhaps just below 0."""
    queries = _prepared(query_AVD, centre_D)
    squares_AV = np.einsum("avd,avd->av", queries, queries)
    # One more feature, 1 beside |b|^2, makes the product |b|^2 - 2 a.b.
    longer_AVE = np.concatenate([-2 * queries, np.ones_like(queries[:, :, :1])], axis=2)
    for columns in _ranges(len(gallery_NVD), _TILE_COLUMNS):
        part_BWD = _prepared(gallery_NVD[columns], centre_D)
        squares_BW1 = np.einsum("bwd,bwd->bw", part_BWD, part_BWD)[:, :, None]
        part_BWE = np.concatenate([part_BWD, squares_BW1], axis=2)
        block_AB: NDArray[np.float32] | None = None
        for own in range(longer_AVE.shape[1]):
            for view in range(part_BWE.shape[1]):
                squared_AB = longer_AVE[:, own] @ part_BWE[:, view].T
                squared_AB += squares_AV[:, own, None]
                block_AB = squared_AB if block_AB is None else np.minimum(block_AB, squared_AB, out=block_AB)
        assert block_AB is not None  # there is at least one view
        block_AB[np.isnan(squares_AV).any(axis=1)] = np.inf
        block_AB[:, np.isnan(squares_BW1).any(axis=(1, 2))] = np.inf
        yield columns, block_AB


def _prepared(rows_NVD: Rows, centre_D: Floats) -> NDArray[np.float32]:
    return np.asarray(rows_NVD - centre_D.astype(rows_NVD.dtype), np.float32)


def _centre(gallery_NVD: Rows) -> Floats:
    """A point near the mean row, from about 1,000 items; it only keeps rounding errors small."""
    some_ND = gallery_NVD[:: max(1, len(gallery_NVD) // 1000)].reshape(-1, gallery_NVD.shape[2])
    some_ND = some_ND[np.isfinite(some_ND).all(axis=1)]
    return some_ND.mean(axis=0, dtype=np.float64) if len(some_ND) else np.zeros(gallery_NVD.shape[2])


class _Search:
    """Finds the k nearest items of one gallery."""

    def __init__(self, gallery_NVD: Rows, codes_N: Indices, k: int) -> None:
        self._gallery_NVD, self._codes_N, self._k = gallery_NVD, codes_N, k
        self._centre_D = _centre(gallery_NVD)
        self._longest = _longest(gallery_NVD, self._centre_D)

    def nearest(self, query_AVD: Rows, codes_A: Indices) -> tuple[Floats, Indices]:
        """Distances and indices [A, K], or as many columns as the gallery has items."""
        near_AC, last_A = self._candidates(query_AVD, codes_A)
        exact_AC = _exact(query_AVD, self._gallery_NVD, near_AC)
        order_AK = np.lexsort((near_AC, exact_AC), axis=1)[:, : self._k]
        distances_AK = np.take_along_axis(exact_AC, order_AK, axis=1)
        indices_AK = np.take_along_axis(near_AC, order_AK, axis=1)
        if near_AC.shape[1] < len(self._gallery_NVD):
            slack = _ROUNDING * (_longest(query_AVD, self._centre_D) + self._longest)
            for row in np.flatnonzero(np.isfinite(last_A) & (last_A - slack <= distances_AK[:, -1] ** 2)):
                distances_AK[row], indices_AK[row] = self._without_products(query_AVD[row], codes_A[row])
        return distances_AK, indices_AK

    def _candidates(self, query_AVD: Rows, codes_A: Indices) -> tuple[Indices, Floats]:
        """The nearest items [A, C] by products, -1 for none, and the last one's squared distance [A]."""
        depth = min(self._k + _SPARE, len(self._gallery_NVD))
        squared_AC = np.zeros((len(query_AVD), 0), np.float32)
        near_AC = np.zeros(squared_AC.shape, np.intp)
        for columns, block_AB in _squared_blocks(query_AVD, self._gallery_NVD, self._centre_D):
            if (codes_A >= 0).any():
                block_AB[codes_A[:, None] == self._codes_N[columns]] = np.inf
            more_AC, places_AC = smallest(block_AB, min(depth, block_AB.shape[1]))
            squared_AE = np.concatenate([squared_AC, more_AC], axis=1)
            near_AE = np.concatenate([near_AC, places_AC + columns.start], axis=1)
            best_AC = np.argsort(squared_AE, axis=1, kind="stable")[:, :depth]
            squared_AC = np.take_along_axis(squared_AE, best_AC, axis=1)
            near_AC = np.take_along_axis(near_AE, best_AC, axis=1)
        last_A = squared_AC[:, -1] if depth else np.zeros(len(query_AVD))
        return np.where(np.isfinite(squared_AC), near_AC, -1), last_A.astype(np.float64)

    def _without_products(self, query_VD: Rows, code: int) -> tuple[Floats, Indices]:
        """Distances and indices [K] of one query, where products leave the order open."""
        from scipy.spatial.distance import cdist

        exact_N = np.empty(len(self._gallery_NVD))
        for part in _ranges(len(self._gallery_NVD)):
            rows_BWD = self._gallery_NVD[part]
            table_VB = cdist(query_VD, rows_BWD.reshape(-1, rows_BWD.shape[2]))
            exact_N[part] = table_VB.min(axis=0).reshape(rows_BWD.shape[:2]).min(axis=1)
        exact_N[(self._codes_N == code) | np.isnan(exact_N)] = np.inf
        order_K = np.argsort(exact_N, kind="stable")[: self._k]
        return exact_N[order_K], np.where(np.isfinite(exact_N[order_K]), order_K, -1)


def _exact(query_AVD: Rows, gallery_NVD: Rows, near_AC: Indices) -> Floats:
    """Distances [A, C] to these items, from differences in float64; infinite for -1."""
    exact_AC = np.full(near_AC.shape, np.inf)
    for column in range(near_AC.shape[1]):
        found_F = np.flatnonzero(near_AC[:, column] >= 0)
        others_FWD = gallery_NVD[near_AC[found_F, column]].astype(np.float64)
        for own in range(query_AVD.shape[1]):
            apart_FWD = others_FWD - query_AVD[found_F, own, None]
            shortest_F = np.sqrt((apart_FWD**2).sum(axis=2)).min(axis=1)
            exact_AC[found_F, column] = np.minimum(exact_AC[found_F, column], shortest_F)
    return exact_AC


def _codes(exclude: tuple[Groups, Groups] | None, queries: int, gallery: int) -> tuple[Indices, Indices]:
    """A number for each group; without groups, -1 for queries and 0 for the gallery, which differ."""
    if exclude is None:
        return np.full(queries, -1), np.zeros(gallery, np.intp)
    numbers: dict[Hashable, int] = {}
    codes = [[numbers.setdefault(group, len(numbers)) for group in side] for side in exclude]
    return np.array(codes[0], np.intp), np.array(codes[1], np.intp)


def _with_views(rows: ArrayLike) -> Rows:
    """As float [N, V, D]."""
    array: Rows = np.asarray(rows)
    if not np.issubdtype(array.dtype, np.floating):
        array = array.astype(np.float64)
    return array[:, None] if array.ndim == 2 else array


def squared_lengths(rows_ND: Rows) -> Rows:
    squares_N: Rows = np.einsum("nd,nd->n", rows_ND, rows_ND)
    return squares_N


def _longest(rows_NVD: Rows, centre_D: Floats) -> float:
    """The largest squared distance from the centre."""
    parts = (rows_NVD[part] - centre_D for part in _ranges(len(rows_NVD)))
    return max((float(np.nanmax(np.einsum("bvd,bvd->bv", p, p), initial=0.0)) for p in parts), default=0.0)


def _ranges(stop: int, step: int = _TILE_COLUMNS, start: int = 0) -> Iterator[slice]:
    return (slice(first, min(first + step, stop)) for first in range(start, stop, step))
