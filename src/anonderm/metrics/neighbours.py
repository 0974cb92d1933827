"""How far the K-th neighbour of each image is, in its whole set and without each block of people.

Tiles of rough distances propose the neighbours; the distances that count are exact.
"""

# N, M rows of a set, B blocks of people, K neighbours, T rows of a tile, H chosen pairs, L candidates a row

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anonderm.metrics.pairs import Floats, Sample, Tile

_GROUP = 16  # columns of which only the least is looked at first
_SPARE = 2  # neighbours kept beyond K, so that rounding cannot push one of the K out


class Nearest:
    """The K nearest rows of the same set within each block, gathered tile by tile."""

    def __init__(self, sample: Sample, k: int) -> None:
        self._sample, self._k = sample, k
        shape = (len(sample), sample.blocks, k + _SPARE)
        self._squared_NBK = torch.full(shape, torch.inf, dtype=sample.rows_ND.dtype)
        self._index_NBK = torch.zeros(shape, dtype=torch.int32)

    def add(self, tile: Tile) -> None:
        """Overwrites the tile's squared distances of rows to themselves."""
        if tile.mirrored:
            turned_MT = tile.squared_TM.T.contiguous()
            for block, columns in self._sample.pieces(tile.rows):
                self._merge(tile.others, block, tile.rows.start + columns.start, turned_MT[:, columns])
        else:
            tile.squared_TM[:, tile.rows.start - tile.others.start :].fill_diagonal_(torch.inf)
        for block, columns in self._sample.pieces(tile.others):
            self._merge(tile.rows, block, tile.others.start + columns.start, tile.squared_TM[:, columns])

    def _merge(self, rows: slice, block: int, first: int, squared_TM: Tensor) -> None:
        kept = self._squared_NBK.shape[2]
        near_TK, at_TK = least(squared_TM, min(kept, squared_TM.shape[1]))
        near_TK = torch.cat([self._squared_NBK[rows, block], near_TK], 1)
        at_TK = torch.cat([self._index_NBK[rows, block], (at_TK + first).int()], 1)
        best_TK, order_TK = near_TK.topk(kept, dim=1, largest=False)
        self._squared_NBK[rows, block] = best_TK
        self._index_NBK[rows, block] = at_TK.gather(1, order_TK)

    def reach(self) -> Floats:
        """Squared distance [N, 1 + B] of each row to its K-th neighbour: of all, and without each block.

        Exact: differences in float64, not products. Infinite where fewer than K are left.
        """
        sample, count = self._sample, len(self._sample)
        rough_NL = self._squared_NBK.reshape(count, -1).double().numpy()
        reach_N1B = self._kth(rough_NL)
        limit_N = np.where(np.isfinite(reach_N1B), reach_N1B, -1.0).max(1) + rounding(sample, sample)
        row_H, entry_H = np.nonzero(rough_NL <= limit_N[:, None])
        index_NL = self._index_NBK.reshape(count, -1).numpy()
        exact_NL = np.full_like(rough_NL, np.inf)
        exact_NL[row_H, entry_H] = exact_squared(sample, row_H, sample, index_NL[row_H, entry_H])
        return self._kth(exact_NL)

    def _kth(self, squared_NL: Floats) -> Floats:
        blocks, kept = self._sample.blocks, self._squared_NBK.shape[2]
        columns = [np.partition(squared_NL, self._k - 1, axis=1)[:, self._k - 1]]
        for block in range(blocks):
            others_NL = np.delete(squared_NL, np.s_[block * kept : (block + 1) * kept], axis=1)
            if others_NL.shape[1] < self._k:
                columns.append(np.full(len(squared_NL), np.inf))
            else:
                columns.append(np.partition(others_NL, self._k - 1, axis=1)[:, self._k - 1])
        return np.stack(columns, axis=1)


def least(values_TM: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k least values of each row [T, K], and their columns.

    The k groups of columns with the least minima hold them: finding those first is many times as fast.
    """
    width = values_TM.shape[1] // _GROUP
    if width <= k:
        return values_TM.topk(k, dim=1, largest=False)
    grouped_TGW = values_TM[:, : _GROUP * width].unflatten(1, (_GROUP, width))
    chosen_TK = grouped_TGW.amin(1).topk(k, dim=1, largest=False, sorted=False).indices
    column_TGK = chosen_TK[:, None] + width * torch.arange(_GROUP)[:, None]
    rest_R = torch.arange(_GROUP * width, values_TM.shape[1])
    column_TL = torch.cat([column_TGK.flatten(1), rest_R.expand(len(values_TM), -1)], 1)
    found_TK, place_TK = values_TM.gather(1, column_TL).topk(k, dim=1, largest=False)
    return found_TK, column_TL.gather(1, place_TK)


def rounding(one: Sample, other: Sample) -> float:
    """By how much a squared distance made of products may be off."""
    largest = float(one.squares_N.max()) + float(other.squares_N.max())
    return 16 * torch.finfo(one.rows_ND.dtype).eps * largest


def exact_squared(
    one: Sample, rows_H: NDArray[np.integer], other: Sample, others_H: NDArray[np.integer], batch: int = 64
) -> Floats:
    """Squared distances [H] of chosen pairs, from differences in float64."""
    found_H = np.empty(len(rows_H))
    for start in range(0, len(rows_H), batch):
        part = slice(start, start + batch)
        left_HD = one.rows_ND[torch.from_numpy(rows_H[part]).long()].double()
        right_HD = other.rows_ND[torch.from_numpy(others_H[part]).long()].double()
        found_H[part] = left_HD.sub_(right_HD).square_().sum(1).numpy()
    return found_H
