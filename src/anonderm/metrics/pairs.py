"""Every pair of images of two sets, met once, and sums of kernels over them.

All measures over pairs (kernel distances, precision, recall, density, coverage) follow from the same products
of embeddings. They are made in tiles, so that memory stays bounded, and kept by blocks of people: what a
measure would be without some of the people then costs no second look at the pairs.
"""

# N, M rows of a set, D features, B blocks of people, T rows of a tile

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anonderm.core.splits import group_folds

Floats = NDArray[np.float64]

# Tables of a tile small enough for the processor's cache.
_SQUARE = 2048
_TILE = 512
_BATCH_ELEMENTS = 2**22
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
        dealt = group_folds(groups, min(blocks, len(set(groups))), rng)
        order_N = np.concatenate([rows for block in dealt for rows in block])
        rows_ND = torch.from_numpy(embeddings_ND[order_N]).to(dtype)
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

    def pieces(self, rows: slice) -> list[tuple[int, slice]]:
        """The blocks that a range of rows touches, each with its rows, counted from the range's first."""
        ends = ((block, max(a, rows.start), min(b, rows.stop)) for block, (a, b) in enumerate(self._ranges))
        return [(block, slice(a - rows.start, b - rows.start)) for block, a, b in ends if a < b]

    @property
    def _ranges(self) -> list[tuple[int, int]]:
        return list(pairwise(self.bounds_B1))


def fitting_dtype(real: int, fake: int) -> torch.dtype:
    """float64 for few pairs; of very many, float32's rounding errors average out."""
    return torch.float64 if max(real, fake) ** 2 <= _EXACT_PAIRS else torch.float32


@dataclass(frozen=True)
class Tile:
    """Products and squared distances of some rows of one set with some of another.

    mirrored: the tile of a set with itself also stands for its mirror image, which is not made.
    """

    rows: slice
    others: slice
    products_TM: Tensor
    squared_TM: Tensor
    mirrored: bool


def tiles(one: Sample, other: Sample) -> Iterator[Tile]:
    """Every pair of rows; of a set with itself (`one is other`), of squares off the diagonal one of both."""
    for start in range(0, len(one), _SQUARE):
        for column in range(start if one is other else 0, len(other), _SQUARE):
            others = slice(column, min(column + _SQUARE, len(other)))
            for first in range(start, min(start + _SQUARE, len(one)), _TILE):
                rows = slice(first, min(first + _TILE, start + _SQUARE, len(one)))
                products_TM = one.rows_ND[rows] @ other.rows_ND[others].T
                squared_TM = torch.add(one.squares_N[rows, None], products_TM, alpha=-2)
                squared_TM.add_(other.squares_N[others]).clamp_(min=0)
                yield Tile(rows, others, products_TM, squared_TM, one is other and start != column)


@dataclass(frozen=True)
class Kernels:
    """The two kernels, each summed over a table of pairs: polynomial (KID) and Gaussian (CMMD).

    width: the Gaussian's standard deviation, in units of distance.
    """

    features: int
    width: float

    NAMES = ("kernel", "rbf")

    def tables(self, products_TM: Tensor, squared_TM: Tensor) -> tuple[Tensor, Tensor]:
        """Both kernels of each pair."""
        base_TM = torch.add(torch.ones((), dtype=products_TM.dtype), products_TM, alpha=1 / self.features)
        return base_TM.pow_(3), (squared_TM * (-0.5 / self.width**2)).exp_()

    def sums(self, products_TM: Tensor, squared_TM: Tensor) -> Floats:
        """float64 [2]; rows are summed in their own precision, as torch sums in a tree."""
        return np.array([float(t.sum(1).double().sum()) for t in self.tables(products_TM, squared_TM)])


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

    def add(self, one: Sample, other: Sample, kernels: Kernels, tile: Tile) -> None:
        """The pairs of one tile, and of its mirror image."""
        pieces, other_pieces = one.pieces(tile.rows), other.pieces(tile.others)
        starts = [rows.start for _, rows in pieces]
        blocks = [block for block, _ in pieces]
        for kernel, table_TM in enumerate(kernels.tables(tile.products_TM, tile.squared_TM)):
            for other_block, columns in other_pieces:
                sums_T = table_TM[:, columns].sum(1).double().numpy()
                sums_B = np.add.reduceat(sums_T, starts)
                self.sums_2BB[kernel, blocks, other_block] += sums_B
                if tile.mirrored:
                    self.sums_2BB[kernel, other_block, blocks] += sums_B

    def mean(self, kept: NDArray[np.bool_], others_kept: NDArray[np.bool_]) -> Floats:
        """Mean [2] over the pairs of the blocks that are kept; NaN without any."""
        pairs = kept @ self.pairs_BB @ others_kept
        return (kept @ self.sums_2BB @ others_kept) / pairs if pairs else np.full(2, np.nan)

    def without_same_person(self, sample: Sample, kernels: Kernels) -> KernelSums:
        """Of a set with itself: leave out the pairs that show one person."""
        sums_2BB, pairs_BB = self.sums_2BB.copy(), self.pairs_BB.copy()
        alone_N = np.ones(len(sample), bool)
        for block, rows_PN in _people_alike(sample):
            alone_N[rows_PN] = False
            rows_PND = sample.rows_ND[torch.from_numpy(rows_PN)]
            squared_PNN = torch.cdist(rows_PND, rows_PND, compute_mode="donot_use_mm_for_euclid_dist")
            products_PNN = rows_PND @ rows_PND.mT
            sums_2BB[:, block, block] -= kernels.sums(
                products_PNN.flatten(0, 1), squared_PNN.square_().flatten(0, 1)
            )
            pairs_BB[block, block] -= products_PNN.numel()
        for block, rows in sample.pieces(slice(0, len(sample))):
            squares_N1 = sample.squares_N[rows][alone_N[rows], None]
            sums_2BB[:, block, block] -= kernels.sums(squares_N1, torch.zeros_like(squares_N1))
            pairs_BB[block, block] -= len(squares_N1)
        return KernelSums(sums_2BB, pairs_BB)


def _people_alike(sample: Sample) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The rows [P, N] of people of one block who have N images each, N at least 2: not too many at a time."""
    block_of_N = sample.block_of_N
    alike: dict[tuple[int, int], list[int]] = {}
    for person in sample.people:
        kind = int(block_of_N[person.start]), person.stop - person.start
        alike.setdefault(kind, []).append(person.start)
    for (block, count), starts in alike.items():
        batch = max(1, _BATCH_ELEMENTS // (count * max(count, sample.rows_ND.shape[1])))
        for first in range(0, len(starts), batch):
            yield block, np.array(starts[first : first + batch])[:, None] + np.arange(count)
