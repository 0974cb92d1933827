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

from anonderm.audit.matchers.described import Described, Rows
from anonderm.core.progress import Bar

Floats = NDArray[np.float64]

_BLOCK_A, _BLOCK_B = 1024, 4096
_SPARE = 4  # candidates beyond those asked for


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


def nearest(queries: Described, gallery: Described, k: int = 1, bar: Bar | None = None) -> Nearest:
    """The k nearest faces of the gallery for each query, over all views of both.

    Faces that are not seen find nobody and are found by nobody. The bar advances by one a query.
    """
    depth = max(1, min(k + _SPARE, len(gallery)))
    indices_MK = np.full((len(queries), k), -1, np.intp)
    distances_MK = np.full((len(queries), k), np.inf)
    for rows in _ranges(len(queries), _BLOCK_A):
        squares_AC = np.full((len(range(*rows.indices(len(queries)))), depth), np.inf, np.float32)
        near_AC = np.full(squares_AC.shape, -1, np.intp)
        for columns, block_AB in blocks(queries[rows], gallery):
            places_B = np.arange(columns.start, columns.start + block_AB.shape[1])
            joined_AE = np.concatenate([squares_AC, block_AB], axis=1)
            places_AE = np.concatenate([near_AC, np.broadcast_to(places_B, block_AB.shape)], axis=1)
            best_AC = np.argpartition(joined_AE, depth - 1, axis=1)[:, :depth]
            squares_AC = np.take_along_axis(joined_AE, best_AC, axis=1)
            near_AC = np.take_along_axis(places_AE, best_AC, axis=1)
        near_AC = np.where(np.isfinite(squares_AC), near_AC, -1)
        exact_AC = _exact(queries[rows], gallery, near_AC)
        order_AK = np.lexsort((near_AC, exact_AC), axis=1)[:, :k]
        distances_MK[rows, : order_AK.shape[1]] = np.take_along_axis(exact_AC, order_AK, axis=1)
        indices_MK[rows, : order_AK.shape[1]] = np.take_along_axis(near_AC, order_AK, axis=1)
        if bar is not None:
            bar.advance(len(near_AC))
    return Nearest(distances_MK, indices_MK)


def distances(queries: Described, gallery: Described) -> NDArray[np.float32]:
    """All distances [M, N]; inf where one of both is not seen. For sets of which all pairs fit in memory."""
    table_MN = np.full((len(queries), len(gallery)), np.inf, np.float32)
    for rows in _ranges(len(queries), _BLOCK_A):
        for columns, block_AB in blocks(queries[rows], gallery):
            table_MN[rows, columns] = np.sqrt(block_AB)
    return table_MN


def blocks(queries: Described, gallery: Described) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Columns of the gallery, and the squared distances [M, B] of all queries to them; inf for the unseen."""
    if not len(queries) or not len(gallery):
        return
    middle_D = _middle(gallery)
    queries_MWD = queries.rows_NVD - middle_D
    query_squares_MW = np.einsum("mwd,mwd->mw", queries_MWD, queries_MWD)
    for columns in _ranges(len(gallery), _BLOCK_B):
        part_BVD = gallery.rows_NVD[columns] - middle_D
        squares_BV = np.einsum("bvd,bvd->bv", part_BVD, part_BVD)
        block_MB = np.full((len(queries), len(part_BVD)), np.inf, np.float32)
        for view in range(part_BVD.shape[1]):
            for own in range(queries_MWD.shape[1]):
                squares_MB = queries_MWD[:, own] @ part_BVD[:, view].T
                squares_MB *= -2
                squares_MB += query_squares_MW[:, own, None]
                squares_MB += squares_BV[None, :, view]
                np.minimum(block_MB, squares_MB, out=block_MB)
        np.maximum(block_MB, 0, out=block_MB)
        block_MB[~queries.seen_N] = np.inf
        block_MB[:, ~gallery.seen_N[columns]] = np.inf
        yield slice(columns.start, columns.start + len(part_BVD)), block_MB


def _middle(gallery: Described) -> Rows:
    """About the mean row; of many faces some speak for all, as any point near them will do."""
    some = gallery.rows_NVD[:: max(1, len(gallery) // 1000)]
    return np.asarray(some.mean(axis=(0, 1), dtype=np.float64), np.float32)


def _exact(queries: Described, gallery: Described, near_MC: NDArray[np.intp]) -> Floats:
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
