"""Intervals for statistics of faces that come in groups: several photos of one person are not independent.

`interval` (bootstrap) suits means, shares, accuracies: statistics of single rows. It must not be used for a
statistic of distances between rows (kernel distance, precision, recall, nearest neighbours within a set): a
sample with replacement contains rows twice, at distance 0, as no real sample would. For those there is
`jackknife_interval`, which leaves groups out instead of repeating them, and `Sample`, whose rows are in order
of the groups that are left out.
"""

# N rows of a set, D features, B blocks of people

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from anonderm.core.splits import Rows, group_folds, rows_by_group

Statistic = Callable[[Rows], float]

_NORMAL_95 = 1.959964


def interval(
    statistic: Statistic, groups: Sequence[Hashable], rng: np.random.Generator, samples: int = 1000
) -> tuple[float, float]:
    """95% percentile bootstrap that resamples whole groups (people).

    statistic: takes row indices, with repetition; samples for which it gives NaN (a class without rows) are
    left out. groups: the group of each row. Returns (nan, nan) when no resample has a value.
    Source: Efron 1979; Field and Welsh 2007 (cluster bootstrap).
    """
    members = rows_by_group(groups)
    values = np.empty(samples)
    for sample in range(samples):
        drawn = rng.integers(len(members), size=len(members))
        values[sample] = statistic(np.concatenate([members[group] for group in drawn]))
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def jackknife_variances(
    statistics: Callable[[Rows], Mapping[str, float]],
    groups: Sequence[Hashable],
    rng: np.random.Generator,
    blocks: int = 10,
) -> dict[str, float]:
    """Variance of each named statistic by the delete-a-group jackknife.

    The groups are dealt into `blocks` at random, and each block is left out once. A statistic that has no
    value without some block gets no variance; for fewer than two groups there is none at all.
    Source: Kott 2001, eq. 2.
    """
    count = min(blocks, len(set(groups)))
    if count < 2:
        return {}
    everything = np.arange(len(groups))
    replicates = [
        statistics(np.setdiff1d(everything, np.concatenate(left_out)))
        for left_out in group_folds(groups, count, rng)
    ]
    names = sorted(set(replicates[0]).intersection(*replicates))
    return {name: float((count - 1) * np.var([each[name] for each in replicates])) for name in names}


def jackknife_interval(value: float, *variances: float) -> tuple[float, float]:
    """Normal 95% interval around `value`; the variances of independent samples add up."""
    half_width = _NORMAL_95 * float(np.sqrt(sum(variances)))
    return value - half_width, value + half_width


def wilson_interval(successes: float, n: int, tail: float = 0.025) -> tuple[float, float]:
    """Score interval of a share of independent trials, `tail` beyond either end. Source: Wilson 1927."""
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(1 - tail)
    share, z2 = successes / n, z**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half_width = z / (1 + z2 / n) * float(np.sqrt(share * (1 - share) / n + z2 / (4 * n * n)))
    return max(0.0, centre - half_width), min(1.0, centre + half_width)


@dataclass(frozen=True)
class Sample:
    """Embeddings in an order in which the rows of each block, and of each person in it, are consecutive.

    bounds_B1: the first row of each block, and the number of rows; people: the row range of every person.
    """

    rows_ND: NDArray[np.floating]
    bounds_B1: tuple[int, ...]
    people: tuple[slice, ...]

    @staticmethod
    def of(
        embeddings_ND: NDArray[np.floating],
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
