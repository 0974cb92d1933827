"""Embeddings with their people dealt into blocks, for the delete-a-group jackknife."""

# N rows of a set, D features, B blocks of people

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from anonderm.core.splits import group_folds
from anonderm.metrics.pairwise import Rows


@dataclass(frozen=True)
class Sample:
    """Embeddings in an order in which the rows of each block, and of each person in it, are consecutive.

    bounds_B1: the first row of each block, and the number of rows; people: the row range of every person.
    """

    rows_ND: Rows
    bounds_B1: tuple[int, ...]
    people: tuple[slice, ...]

    @staticmethod
    def of(
        embeddings_ND: Rows,
        people: Sequence[Hashable],
        rng: np.random.Generator,
        blocks: int,
        dtype: type[np.floating] = np.float64,
    ) -> Sample:
        """Deal the people at random into `blocks`, or into as many blocks as there are people."""
        dealt = group_folds(people, min(blocks, len(set(people))), rng)
        order_N = np.concatenate([rows for block in dealt for rows in block])
        bounds = np.cumsum([0, *(sum(map(len, block)) for block in dealt)])
        ends = np.cumsum([0, *(len(rows) for block in dealt for rows in block)]).tolist()
        ranges = tuple(slice(start, stop) for start, stop in pairwise(ends))
        return Sample(embeddings_ND[order_N].astype(dtype), tuple(bounds.tolist()), ranges)

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
        """The blocks within a range of rows, each with its rows, counted from the start of the range."""
        ends = (
            (block, max(start, rows.start), min(stop, rows.stop))
            for block, (start, stop) in enumerate(pairwise(self.bounds_B1))
        )
        return [(block, slice(a - rows.start, b - rows.start)) for block, a, b in ends if a < b]


def fitting_dtype(real: int, fake: int) -> type[np.floating]:
    """float64 for up to 16 million pairs; over more, the rounding errors of float32 average out."""
    return np.float64 if max(real, fake) ** 2 <= 2**24 else np.float32
