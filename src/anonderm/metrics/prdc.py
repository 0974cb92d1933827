"""Precision, recall, density and coverage, each also without every block of people.

The neighbourhood of an image is an open ball that reaches to its K-th nearest neighbour in its own set:
images at exactly that distance lie outside, as in Naeem's code. Sources: Kynkaanniemi et al. 2019, eq. 1 and
2; Naeem et al. 2020, eq. 4 and 5.
"""

# N centres of neighbourhoods, M points of the other set, H pairs that may be close, B blocks of people,
# K neighbours, L candidates of a row

from dataclasses import dataclass

import numpy as np

from anonderm.metrics.bootstrap import Sample
from anonderm.metrics.pairwise import Floats, Rows, Tile, exact_squared, rounding, smallest

_SPARE = 2  # neighbours kept beyond K, as products round


@dataclass(frozen=True)
class Replicates:
    """A value, and the values without each block [B] of either set."""

    value: float
    without_real_B: Floats
    without_fake_B: Floats


class Radii:
    """The distance of each row to its K-th neighbour in its own set, also without each block of people.

    The tiles of the set with itself propose neighbours within each block; the radii are exact.
    """

    def __init__(self, sample: Sample, k: int) -> None:
        self._sample, self._k = sample, k
        shape = (len(sample), sample.blocks, k + _SPARE)
        self._squared_NBK = np.full(shape, np.inf, sample.rows_ND.dtype)
        self._index_NBK = np.zeros(shape, np.int32)

    def add(self, tile: Tile) -> None:
        """Overwrites the tile's squared distances of rows to themselves."""
        if tile.mirrored:
            transposed_BA = np.ascontiguousarray(tile.squared_AB.T)
            for block, columns in self._sample.pieces(tile.rows):
                self._merge(tile.columns, block, tile.rows.start + columns.start, transposed_BA[:, columns])
        else:
            np.fill_diagonal(tile.squared_AB[:, tile.rows.start - tile.columns.start :], np.inf)
        for block, columns in self._sample.pieces(tile.columns):
            self._merge(tile.rows, block, tile.columns.start + columns.start, tile.squared_AB[:, columns])

    def _merge(self, rows: slice, block: int, first: int, squared_AB: Rows) -> None:
        kept = self._squared_NBK.shape[2]
        near_AK, at_AK = smallest(squared_AB, min(kept, squared_AB.shape[1]))
        near_AK = np.concatenate([self._squared_NBK[rows, block], near_AK], axis=1)
        at_AK = np.concatenate([self._index_NBK[rows, block], (at_AK + first).astype(np.int32)], axis=1)
        order_AK = np.argpartition(near_AK, kept - 1, axis=1)[:, :kept]
        self._squared_NBK[rows, block] = np.take_along_axis(near_AK, order_AK, axis=1)
        self._index_NBK[rows, block] = np.take_along_axis(at_AK, order_AK, axis=1)

    def squared(self) -> Floats:
        """Squared radii [N, 1 + B]: in the whole set, and without each block; infinite below K neighbours."""
        sample, count = self._sample, len(self._sample)
        rough_NL = self._squared_NBK.reshape(count, -1).astype(np.float64)
        rough_N1B = self._kth(rough_NL)
        slack = rounding(sample.rows_ND, sample.rows_ND)
        limit_N = np.where(np.isfinite(rough_N1B), rough_N1B, -1.0).max(1) + slack
        row_H, entry_H = np.nonzero(rough_NL <= limit_N[:, None])
        other_H = self._index_NBK.reshape(count, -1)[row_H, entry_H]
        exact_NL = np.full_like(rough_NL, np.inf)
        exact_NL[row_H, entry_H] = exact_squared(sample.rows_ND, row_H, sample.rows_ND, other_H)
        return self._kth(exact_NL)

    def _kth(self, squared_NL: Floats) -> Floats:
        block_of_L = np.arange(squared_NL.shape[1]) // self._squared_NBK.shape[2]
        columns = []
        for left_out in range(-1, self._sample.blocks):  # -1: none
            others_NL = np.where(block_of_L == left_out, np.inf, squared_NL)
            columns.append(np.partition(others_NL, self._k - 1, axis=1)[:, self._k - 1])
        return np.stack(columns, axis=1)


class Neighbourhoods:
    """Counts which points of one set lie in the neighbourhoods of another, tile by tile.

    radii_N1B: squared radii of the neighbourhoods, as `Radii.squared` gives them.
    """

    def __init__(self, centres: Sample, radii_N1B: Floats, points: Sample) -> None:
        self._centres, self._points, self._radii_N1B = centres, points, radii_N1B
        self._slack = rounding(centres.rows_ND, points.rows_ND)
        limit_N = np.where(np.isfinite(radii_N1B), radii_N1B, 0.0).max(1) + self._slack
        self._limit_N = limit_N.astype(centres.rows_ND.dtype)
        self._centre_block_N, self._point_block_M = centres.block_of_N, points.block_of_N
        # How many neighbourhoods hold each point: of the whole set, and of the set without each block.
        self._count_M1B = np.zeros((len(points), 1 + centres.blocks), np.int64)
        # Whether each neighbourhood, with its radius in the whole set and without each block, holds a point.
        self._filled_N1B = np.zeros((len(centres), 1 + centres.blocks), bool)
        # Whether each neighbourhood holds a point of each block of points.
        self._filled_by_NB = np.zeros((len(centres), points.blocks), bool)

    def add(self, tile: Tile, *, transposed: bool = False) -> None:
        """The centres are the rows of the tile or, where it is transposed, its columns."""
        limit = self._limit_N[tile.columns] if transposed else self._limit_N[tile.rows, None]
        row_H, column_H = np.nonzero(tile.squared_AB <= limit)
        squared_H = tile.squared_AB[row_H, column_H].astype(np.float64)
        ends = (row_H + tile.rows.start, column_H + tile.columns.start)
        centre_H, point_H = reversed(ends) if transposed else ends
        radii_H1B = self._radii_N1B[centre_H]
        close_H = (np.abs(squared_H[:, None] - radii_H1B) <= self._slack).any(1)
        squared_H[close_H] = exact_squared(
            self._centres.rows_ND, centre_H[close_H], self._points.rows_ND, point_H[close_H]
        )
        inside_H1B = squared_H[:, None] < radii_H1B
        in_H = inside_H1B[:, 0]
        self._filled_by_NB[centre_H[in_H], self._point_block_M[point_H[in_H]]] = True
        inside_H1B[np.arange(len(centre_H)), 1 + self._centre_block_N[centre_H]] = False  # left out itself
        np.logical_or.at(self._filled_N1B, centre_H, inside_H1B)
        np.add.at(self._count_M1B, point_H, inside_H1B)

    def share_of_points_inside(self) -> Replicates:
        """Share of points that lie in some neighbourhood."""
        return self._mean_over_points((self._count_M1B > 0).astype(float))

    def neighbourhoods_per_point(self) -> Replicates:
        """Mean number of neighbourhoods that hold a point."""
        return self._mean_over_points(self._count_M1B.astype(float))

    def _mean_over_points(self, values_M1B: Floats) -> Replicates:
        sums_B = np.add.reduceat(values_M1B[:, 0], self._points.bounds_B1[:-1])
        left_B = np.maximum(len(values_M1B) - self._points.sizes_B, 1)
        means_1B = values_M1B.mean(0)
        without_points_B = (values_M1B[:, 0].sum() - sums_B) / left_B
        return Replicates(float(means_1B[0]), means_1B[1:], without_points_B)

    def share_filled(self) -> Replicates:
        """Share of neighbourhoods that hold a point."""
        left_B = np.maximum(len(self._centres) - self._centres.sizes_B, 1)
        without_centres_B = self._filled_N1B[:, 1:].sum(0) / left_B
        others_NB = self._filled_by_NB.sum(1, keepdims=True) - self._filled_by_NB
        return Replicates(float(self._filled_N1B[:, 0].mean()), without_centres_B, (others_NB > 0).mean(0))


def prdc(real: Neighbourhoods, fake: Neighbourhoods, k: int) -> dict[str, Replicates]:
    """real: synthetic points in neighbourhoods of real images; fake: the other way round."""
    density, recall = real.neighbourhoods_per_point(), fake.share_of_points_inside()
    return {
        "precision": real.share_of_points_inside(),
        "recall": Replicates(recall.value, recall.without_fake_B, recall.without_real_B),
        "density": Replicates(density.value / k, density.without_real_B / k, density.without_fake_B / k),
        "coverage": real.share_filled(),
    }
