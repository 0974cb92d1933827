"""Every pair of images of two sets, met once: sums of kernels, and the nearest neighbours within each set.

All measures over pairs (kernel distances, precision, recall, density, coverage) follow from the same products
of embeddings. They are made in tiles, so that memory stays bounded, and kept by blocks of people: what a
measure would be without some of the people then costs no second look at the pairs.
"""

# N, M rows of a set, D features, B blocks of people, K neighbours, T rows of a tile

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anonderm.evaluate.bootstrap import rows_by_group

Floats = NDArray[np.float64]

_TILE = 1024
_SPARE = 2  # neighbours kept beyond K, so that rounding cannot push one of the K out
_EXACT_PAIRS = 2**24  # up to so many pairs, products are made in float64


@dataclass(frozen=True)
class Sample:
    """Embeddings in an order in which the rows of each block of people, and of each person, lie together.

    bounds_B1: where each block begins, and the end; people: first and one past last row of every person who
    has several.
    """

    rows_ND: Tensor
    squares_N: Tensor
    bounds_B1: tuple[int, ...]
    people: tuple[slice, ...]

    @staticmethod
    def of(
        embeddings_ND: NDArray[np.float32],
        groups: Sequence[Hashable],
        rng: np.random.Generator,
        blocks: int,
        dtype: torch.dtype = torch.float64,
    ) -> Sample:
        """Deals the groups (people) into `blocks`, or into as many as there are people, at random."""
        members = rows_by_group(groups)
        order = rng.permutation(len(members))
        count = min(blocks, len(members))
        dealt = [[members[person] for person in order[block::count]] for block in range(count)]
        rows_ND = torch.from_numpy(np.ascontiguousarray(embeddings_ND)).to(dtype)
        rows_ND = rows_ND[torch.from_numpy(np.concatenate([rows for block in dealt for rows in block]))]
        bounds = np.cumsum([0, *(sum(map(len, block)) for block in dealt)])
        ends = np.cumsum([len(rows) for block in dealt for rows in block]).tolist()
        people = tuple(slice(a, b) for a, b in pairwise([0, *ends]) if b - a > 1)
        return Sample(rows_ND, rows_ND.square().sum(1), tuple(bounds.tolist()), people)

    def __len__(self) -> int:
        return len(self.rows_ND)

    @property
    def blocks(self) -> int:
        return len(self.bounds_B1) - 1

    @property
    def sizes_B(self) -> NDArray[np.int64]:
        return np.array([stop - start for start, stop in pairwise(self.bounds_B1)], np.int64)

    @property
    def block_of_N(self) -> NDArray[np.int64]:
        return np.repeat(np.arange(self.blocks), self.sizes_B)

    def block(self, index: int) -> slice:
        return slice(self.bounds_B1[index], self.bounds_B1[index + 1])


def fitting_dtype(real: int, fake: int) -> torch.dtype:
    """float64 for few pairs; of very many, float32's rounding errors average out."""
    return torch.float64 if max(real, fake) ** 2 <= _EXACT_PAIRS else torch.float32


@dataclass(frozen=True)
class Tile:
    """Products and squared distances of some rows of one set with a block of another."""

    block: int
    rows: slice
    other_block: int
    others: slice
    products_TM: Tensor
    squared_TM: Tensor


def tiles(one: Sample, other: Sample) -> Iterator[Tile]:
    """Every pair of rows once; of a set with itself (`one is other`), pairs of two blocks once."""
    for a in range(one.blocks):
        for b in range(a if one is other else 0, other.blocks):
            others = other.block(b)
            for start in range(one.block(a).start, one.block(a).stop, _TILE):
                rows = slice(start, min(start + _TILE, one.block(a).stop))
                products_TM = one.rows_ND[rows] @ other.rows_ND[others].T
                squared_TM = torch.add(one.squares_N[rows, None], products_TM, alpha=-2)
                squared_TM.add_(other.squares_N[others]).clamp_(min=0)
                if one is other and a == b:
                    squared_TM[:, rows.start - others.start :].fill_diagonal_(0)
                yield Tile(a, rows, b, others, products_TM, squared_TM)


@dataclass(frozen=True)
class Kernels:
    """The two kernels, each summed over a table of pairs: polynomial (KID) and Gaussian (CMMD).

    width: the Gaussian's standard deviation, in units of distance.
    """

    features: int
    width: float

    NAMES = ("kernel", "rbf")

    def sums(self, products_TM: Tensor, squared_TM: Tensor) -> Floats:
        """float64 [2]; rows are summed as they are, since torch sums in a tree."""
        base_TM = products_TM / self.features + 1
        cubes_T = (base_TM * base_TM).mul_(base_TM).sum(1)
        bells_T = (squared_TM * (-0.5 / self.width**2)).exp_().sum(1)
        return np.array([float(cubes_T.double().sum()), float(bells_T.double().sum())])


def median_distance(rows_ND: Tensor, most: int = 1000) -> float:
    """Of pairs of at most `most` rows; 1 where they are all equal. Source: Gretton et al. 2012, sec. 8."""
    some_ND = rows_ND[:: max(1, -(-len(rows_ND) // most))].double()
    between = torch.pdist(some_ND)
    middle = float(between.median()) if len(between) else 0.0
    return middle or 1.0


@dataclass(frozen=True)
class KernelSums:
    """Sums of both kernels [2, B, B] over the pairs of two blocks, and how many pairs those are [B, B]."""

    sums_2BB: Floats
    pairs_BB: NDArray[np.int64]

    @staticmethod
    def empty(one: Sample, other: Sample) -> KernelSums:
        return KernelSums(np.zeros((2, one.blocks, other.blocks)), np.outer(one.sizes_B, other.sizes_B))

    def mean(self, kept: NDArray[np.bool_], others_kept: NDArray[np.bool_]) -> Floats:
        """Mean [2] over the pairs of the blocks that are kept; NaN without any."""
        pairs = kept @ self.pairs_BB @ others_kept
        return (kept @ self.sums_2BB @ others_kept) / pairs if pairs else np.full(2, np.nan)

    def without_same_person(self, sample: Sample, kernels: Kernels) -> KernelSums:
        """Of a set with itself: leave out the pairs that show one person."""
        sums_2BB, pairs_BB = self.sums_2BB.copy(), self.pairs_BB.copy()
        block_of_N = sample.block_of_N
        alone_N = np.ones(len(sample), bool)
        for person in sample.people:
            alone_N[person] = False
            rows_ND, at = sample.rows_ND[person], block_of_N[person.start]
            squared_NN = torch.cdist(rows_ND, rows_ND, compute_mode="donot_use_mm_for_euclid_dist").square()
            sums_2BB[:, at, at] -= kernels.sums(rows_ND @ rows_ND.T, squared_NN)
            pairs_BB[at, at] -= len(rows_ND) ** 2
        for at in range(sample.blocks):
            squares_N1 = sample.squares_N[sample.block(at)][alone_N[sample.block(at)], None]
            sums_2BB[:, at, at] -= kernels.sums(squares_N1, torch.zeros_like(squares_N1))
            pairs_BB[at, at] -= len(squares_N1)
        return KernelSums(sums_2BB, pairs_BB)


class Nearest:
    """The K nearest rows of the same set within each block, gathered tile by tile."""

    def __init__(self, sample: Sample, k: int) -> None:
        self._sample, self._k = sample, k
        shape = (len(sample), sample.blocks, k + _SPARE)
        self._squared_NBK = torch.full(shape, torch.inf, dtype=sample.rows_ND.dtype)
        self._index_NBK = torch.zeros(shape, dtype=torch.int32)

    def add(self, tile: Tile) -> None:
        """Overwrites the tile's squared distances of rows to themselves."""
        if tile.block == tile.other_block:
            tile.squared_TM[:, tile.rows.start - tile.others.start :].fill_diagonal_(torch.inf)
        self._merge(tile.rows, tile.other_block, tile.others, tile.squared_TM)
        if tile.block != tile.other_block:
            self._merge(tile.others, tile.block, tile.rows, tile.squared_TM.T.contiguous())

    def _merge(self, rows: slice, block: int, others: slice, squared_TM: Tensor) -> None:
        kept = self._squared_NBK.shape[2]
        near_TK, at_TK = squared_TM.topk(min(kept, squared_TM.shape[1]), dim=1, largest=False)
        near_TK = torch.cat([self._squared_NBK[rows, block], near_TK], 1)
        at_TK = torch.cat([self._index_NBK[rows, block], (at_TK + others.start).int()], 1)
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


def rounding(one: Sample, other: Sample) -> float:
    """By how much a squared distance made of products may be off."""
    largest = float(one.squares_N.max()) + float(other.squares_N.max())
    return 16 * torch.finfo(one.rows_ND.dtype).eps * largest


def exact_squared(
    one: Sample, rows_H: NDArray[np.integer], other: Sample, others_H: NDArray[np.integer], batch: int = 4096
) -> Floats:
    """Squared distances [H] of chosen pairs, from differences in float64."""
    found_H = np.empty(len(rows_H))
    for start in range(0, len(rows_H), batch):
        part = slice(start, start + batch)
        left_HD = one.rows_ND[torch.from_numpy(rows_H[part]).long()].double()
        right_HD = other.rows_ND[torch.from_numpy(others_H[part]).long()].double()
        found_H[part] = left_HD.sub_(right_HD).square_().sum(1).numpy()
    return found_H
