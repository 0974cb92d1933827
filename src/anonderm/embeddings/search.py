"""Nearest faces among many, exactly, in memory that does not grow with the product of both numbers.

Squared distances come from products of float32 blocks, as |a|^2 + |b|^2 - 2 a.b after the mean row is taken
off; such a sum is wrong by about 1e-6 of |a|^2. So a few more faces than asked for are kept, and their
distances worked out again from differences, in float64: a copy lies at distance 0.
"""

# M faces that are searched for, N faces searched in, V and W their views, D features, K neighbours,
# A x B faces of a block

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.progress import Bar
from anonderm.embeddings.matchers.matcher import Rows, Templates

Floats = NDArray[np.float64]

_BLOCK_A, _BLOCK_B = 512, 2048
_SPARE = 2  # candidates beyond those asked for
_FEW = 8


@dataclass(frozen=True)
class Nearest:
    """distances_MK ascending, inf where there is nobody; indices_MK: who, -1 where there is nobody."""

    distances_MK: Floats
    indices_MK: NDArray[np.intp]

    @property
    def distances_M(self) -> Floats:
        """To the very nearest."""
        return self.distances_MK[:, 0]

    @property
    def indices_M(self) -> NDArray[np.intp]:
        return self.indices_MK[:, 0]


def nearest(queries: Templates, gallery: Templates, k: int = 1, bar: Bar | None = None) -> Nearest:
    """The k nearest faces of the gallery for each query, over all views of both.

    Faces that are not seen find nobody and are found by nobody. The bar advances by one a query.
    """
    depth = max(1, min(k + _SPARE, len(gallery)))
    indices_MK = np.full((len(queries), k), -1, np.intp)
    distances_MK = np.full((len(queries), k), np.inf)
    for rows in _ranges(len(queries), _BLOCK_A):
        part = queries[rows]
        near_AC = _candidates(part, gallery, depth)
        exact_AC = _exact(part, gallery, near_AC)
        order_AK = np.lexsort((near_AC, exact_AC), axis=1)[:, :k]
        distances_MK[rows, : order_AK.shape[1]] = np.take_along_axis(exact_AC, order_AK, axis=1)
        indices_MK[rows, : order_AK.shape[1]] = np.take_along_axis(near_AC, order_AK, axis=1)
        if bar is not None:
            bar.advance(len(part))
    return Nearest(distances_MK, indices_MK)


def _candidates(queries: Templates, gallery: Templates, depth: int) -> NDArray[np.intp]:
    """The nearest faces [A, C] by float32 products, in no order; -1 where there is nobody."""
    squares_AC = np.full((len(queries), depth), np.inf, np.float32)
    near_AC = np.full(squares_AC.shape, -1, np.intp)
    for columns, block_AB in blocks(queries, gallery):
        places_AC = _smallest(block_AB, min(depth, block_AB.shape[1]))
        joined_AE = np.concatenate([squares_AC, np.take_along_axis(block_AB, places_AC, axis=1)], axis=1)
        owners_AE = np.concatenate([near_AC, places_AC + columns.start], axis=1)
        best_AC = np.argsort(joined_AE, axis=1, kind="stable")[:, :depth]
        squares_AC = np.take_along_axis(joined_AE, best_AC, axis=1)
        near_AC = np.take_along_axis(owners_AE, best_AC, axis=1)
    return np.where(np.isfinite(squares_AC), near_AC, -1)


def _smallest(values_AB: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Columns of the smallest values of each row, [A, count]; a few are had faster one by one."""
    if count > _FEW:
        return np.argpartition(values_AB, count - 1, axis=1)[:, :count]
    left_AB = values_AB.copy() if count > 1 else values_AB
    places_AC = np.empty((len(values_AB), count), np.intp)
    for place in range(count):
        places_AC[:, place] = left_AB.argmin(axis=1)
        if place + 1 < count:
            np.put_along_axis(left_AB, places_AC[:, place, None], np.inf, axis=1)
    return places_AC


def distances(queries: Templates, gallery: Templates) -> NDArray[np.float32]:
    """All distances [M, N]; inf where one of both is not seen. For sets of which all pairs fit in memory."""
    table_MN = np.full((len(queries), len(gallery)), np.inf, np.float32)
    for rows in _ranges(len(queries), _BLOCK_A):
        for columns, block_AB in blocks(queries[rows], gallery):
            table_MN[rows, columns] = np.sqrt(np.maximum(block_AB, 0))
    return table_MN


def blocks(queries: Templates, gallery: Templates) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Columns of the gallery, and the squared distances [M, B] of all queries to them; inf for the unseen.

    They are sums that float32 rounds: a square of 0 may come out a little below it.
    """
    if not len(queries) or not len(gallery):
        return
    middle_D = _middle(gallery)
    queries_MWD = queries.rows_NVD - middle_D
    squares_MW = np.einsum("mwd,mwd->mw", queries_MWD, queries_MWD)
    # One more feature, 1 beside |b|^2, lets a single product give |b|^2 - 2 a.b.
    longer_MWE = np.concatenate([-2 * queries_MWD, np.ones_like(queries_MWD[:, :, :1])], axis=2)
    for columns in _ranges(len(gallery), _BLOCK_B):
        part_BVD = gallery.rows_NVD[columns] - middle_D
        lengths_BV1 = np.einsum("bvd,bvd->bv", part_BVD, part_BVD)[:, :, None]
        part_BVE = np.concatenate([part_BVD, lengths_BV1], axis=2)
        block_MB = _over_views(longer_MWE, squares_MW, part_BVE)
        if queries.failed_to_enrol:
            block_MB[~queries.enrolled_N] = np.inf
        if not gallery.enrolled_N[columns].all():
            block_MB[:, ~gallery.enrolled_N[columns]] = np.inf
        yield slice(columns.start, columns.start + len(part_BVD)), block_MB


def _over_views(longer_MWE: Rows, squares_MW: Rows, part_BVE: Rows) -> NDArray[np.float32]:
    """The smallest square of each pair over the views of both."""
    smallest_MB = np.full((len(longer_MWE), len(part_BVE)), np.inf, np.float32)
    for own in range(longer_MWE.shape[1]):
        for view in range(part_BVE.shape[1]):
            squares_MB = longer_MWE[:, own] @ part_BVE[:, view].T
            squares_MB += squares_MW[:, own, None]
            np.minimum(smallest_MB, squares_MB, out=smallest_MB)
    return smallest_MB


def _middle(gallery: Templates) -> Rows:
    """About the mean row; of many faces some speak for all, as any point near them will do."""
    some = gallery.rows_NVD[:: max(1, len(gallery) // 1000)]
    return np.asarray(some.mean(axis=(0, 1), dtype=np.float64), np.float32)


def _exact(queries: Templates, gallery: Templates, near_MC: NDArray[np.intp]) -> Floats:
    """Distances [M, C] to these faces of the gallery, from differences; inf for -1."""
    exact_MC = np.full(near_MC.shape, np.inf)
    for column in range(near_MC.shape[1]):
        found = np.flatnonzero(near_MC[:, column] >= 0)
        others_FVD = gallery.rows_NVD[near_MC[found, column]].astype(np.float64)
        for own in range(queries.rows_NVD.shape[1]):
            apart_FVD = others_FVD - queries.rows_NVD[found, own, None]
            shortest_F = np.sqrt((apart_FVD**2).sum(axis=2)).min(axis=1)
            exact_MC[found, column] = np.minimum(exact_MC[found, column], shortest_F)
    return exact_MC


def _ranges(count: int, step: int) -> Iterator[slice]:
    return (slice(start, start + step) for start in range(0, count, step))
