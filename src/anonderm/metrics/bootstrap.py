"""Intervals for statistics of faces that come in groups: several photos of one person are not independent.

`interval` (bootstrap) suits means, shares, accuracies: statistics of single rows. It must not be used for a
statistic of distances between rows (kernel distance, precision, recall, nearest neighbours within a set): a
sample with replacement contains rows twice, at distance 0, as no real sample would. For those there is
`jackknife_interval`, which leaves groups out instead of repeating them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from statistics import NormalDist

import numpy as np

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
