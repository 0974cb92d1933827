"""What an attack achieves on members (main), on non-members (control), and by guessing (baseline).

Only the excess of main over control can be due to training: both arms are drawn from the same people by the
same split, so a generator that has memorised nobody treats them alike. Source: Giomi et al. 2023
(Anonymeter).
"""

# P people, Q other people, R resamples

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonderm.core.results.audit import Arm, Excess
from anonderm.metrics.bootstrap import wilson_interval

Floats = NDArray[np.float64]

ONE_SIDED_ERROR = 0.001
"""Of `Excess.lower_bound`. With 25 tests of an honest generator, each at this level, at most
one audit in 40 raises a false alarm (Bonferroni)."""

RESAMPLES = 4000
_AT_ONCE = 2**22
_FEW_VALUES = 20


def rate(values_P: ArrayLike) -> Arm:
    """The mean over people of values in 0..1, with Wilson's interval."""
    values = np.asarray(values_P, float)
    total = float(values.sum())
    return Arm(total / len(values), *wilson_interval(total, len(values)), len(values), total)


def excess_of_rates(main_P: ArrayLike, control_Q: ArrayLike, rng: np.random.Generator) -> Excess:
    """Difference of two rates, main - control, with one value in 0..1 for each person.

    Bootstrap over people, widened to the hybrid score interval (Newcombe 1998, method 10), which does not
    vanish where nobody, or everybody, is a success.
    """
    main, control = np.asarray(main_P, float), np.asarray(control_Q, float)
    resampled_R = resampled_means(main, rng) - resampled_means(control, rng)
    value = float(main.mean() - control.mean())
    score_low, score_high = newcombe(main.mean(), len(main), control.mean(), len(control))
    score_bound, _ = newcombe(main.mean(), len(main), control.mean(), len(control), ONE_SIDED_ERROR)
    return Excess(value, *widened(resampled_R, score_low, score_high, score_bound))


def widened(resampled_R: Floats, low: float, high: float, bound: float) -> tuple[float, float, float]:
    """Low end, high end and lower bound of the resamples, but at least as wide as those given."""
    quantiles = np.quantile(resampled_R, (0.025, 0.975, ONE_SIDED_ERROR))
    return min(float(quantiles[0]), low), max(float(quantiles[1]), high), min(float(quantiles[2]), bound)


def newcombe(one: float, n_one: int, two: float, n_two: int, tail: float = 0.025) -> tuple[float, float]:
    """Interval of one - two, each a share of independent trials, with `tail` on either side.

    Source: Newcombe 1998 (Statistics in Medicine 17:873), method 10.
    """
    low_one, high_one = wilson_interval(one * n_one, n_one, tail)
    low_two, high_two = wilson_interval(two * n_two, n_two, tail)
    below = float(np.hypot(one - low_one, high_two - two))
    above = float(np.hypot(high_one - one, two - low_two))
    return one - two - below, one - two + above


def resampled_means(values_P: ArrayLike, rng: np.random.Generator, resamples: int = RESAMPLES) -> Floats:
    """Means [R] of bootstrap resamples of people."""
    values = np.asarray(values_P, float)
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= _FEW_VALUES:  # how often each is drawn is multinomial
        return rng.multinomial(len(values), counts / len(values), size=resamples) @ distinct / len(values)
    step = max(1, _AT_ONCE // len(values))
    parts = [
        values[rng.integers(len(values), size=(min(step, resamples - start), len(values)))].mean(axis=1)
        for start in range(0, resamples, step)
    ]
    return np.concatenate(parts)
