"""Membership: does a score tell people in training from people who were kept out?

A score is any number that an attacker thinks higher for people in training. Beside the area under the curve
stands the share of members found (TPR) at low rates of false accusation (FPR), as Carlini et al. 2022
("Membership Inference Attacks From First Principles") ask for.
"""

# P people in training, Q people kept out, N photos, R resamples, K neighbours

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from anonderm.audit.arms import SURE, Floats, rate, resampled_means
from anonderm.audit.attacks.reach import Reach, first_by
from anonderm.core.results.audit import Arm, Attack, Excess, Pair

FALSE_POSITIVE_RATES = {"TPR at FPR 5%": 0.05, "TPR at FPR 1%": 0.01, "TPR at FPR 0.1%": 0.001}
_TAILS = (0.025, SURE)
_REPEATS = 4000


def gan_leaks(reach: Reach) -> Floats:
    """Score [P] of each person, in the order of their names: how near a synthetic face comes to her.

    Source: Chen et al. 2020 (GAN-Leaks), the full black-box attack, which asks for the released set alone.
    """
    return -reach.distances_NK[reach.nearest_photo(), 0]


def domias(
    kth_synthetic_N: ArrayLike, kth_reference_N: ArrayLike, owners: Sequence[str], dimensions: int
) -> Floats:
    """Score [P] of each person: the largest log ratio of two densities, synthetic over reference.

    A dense synthetic set where the reference people are sparse betrays that someone there was in training.
    kth_synthetic_N, kth_reference_N: distance to the k-th nearest row of either set, which estimates its
    density as 1 / distance^dimensions up to a constant (Loftsgaarden & Quesenberry 1965). Source: van Breugel
    et al. 2023 (DOMIAS): p_G / p_R.
    """
    synthetic_N, reference_N = (
        np.maximum(np.asarray(each, float), 1e-12) for each in (kth_synthetic_N, kth_reference_N)
    )
    score_N = dimensions * (np.log(reference_N) - np.log(synthetic_N))
    return np.asarray(score_N[first_by(owners, -score_N)], float)


def membership(
    name: str,
    matcher: str,
    main_P: ArrayLike,
    control_Q: ArrayLike,
    rng: np.random.Generator,
    note: str = "",
    worst: tuple[Pair, ...] = (),
) -> list[Attack]:
    """The AUC and every TPR that so many control people allow; higher scores mean members."""
    main, control = np.asarray(main_P, float), np.asarray(control_Q, float)
    found = [area_under_curve(name, matcher, main, control, rng, note, worst)]
    for level, share in FALSE_POSITIVE_RATES.items():
        if (k := allowed(share, len(control))) >= 1:
            found.append(_true_positives(name, matcher, level, main, control, k, rng))
    return found


def allowed(share: float, control: int) -> int:
    """How many control people may be accused, so that a stranger is with probability `share` at most.

    A stranger scores above the k-th highest of n others with probability k / (n + 1), whatever the
    distribution.
    """
    return int(share * (control + 1) + 1e-9)


def area_under_curve(
    name: str,
    matcher: str,
    main_P: Floats,
    control_Q: Floats,
    rng: np.random.Generator,
    note: str = "",
    worst: tuple[Pair, ...] = (),
) -> Attack:
    """Probability that someone in training scores above someone kept out, ties counting half.

    Bootstrap over people of both arms by its Hajek projection: the means of the placement values (DeLong et
    al. 1988) are resampled. Widened to the spread that the AUC has under no effect (Mann & Whitney
    1947), which does not vanish where the arms are apart.
    """
    above_P, below_Q = _share_below(control_Q, main_P), 1 - _share_below(main_P, control_Q)
    value = float(above_P.mean())
    resampled_R = resampled_means(above_P, rng) + resampled_means(below_Q, rng) - value
    deviation = np.sqrt((len(main_P) + len(control_Q) + 1) / (12 * len(main_P) * len(control_Q)))
    low, high, sure = _widened(resampled_R, value, *(deviation * _normal(1 - tail) for tail in _TAILS))
    arm = Arm(value, max(0.0, low), min(1.0, high), len(main_P))
    excess = Excess(value - 0.5, low - 0.5, high - 0.5, sure - 0.5)
    return Attack(name, matcher, "AUC", arm, None, 0.5, excess, note, worst)


def _true_positives(
    name: str,
    matcher: str,
    level: str,
    main_P: Floats,
    control_Q: Floats,
    k: int,
    rng: np.random.Generator,
) -> Attack:
    """The share of members who score above all but k - 1 control people.

    The interval resamples both arms, and is widened to what strangers reach: how many of P come before the
    k-th of Q in a random order is negative hypergeometric.
    """
    from scipy.stats import nhypergeom

    people, others = len(main_P), len(control_Q)
    found_P = main_P > np.sort(control_Q)[::-1][k - 1]
    baseline = k / (others + 1)
    value = float(found_P.mean()) - baseline
    strangers = nhypergeom(people + others, people, k)
    likely, utmost = (float(strangers.ppf(1 - tail)) / people - baseline for tail in _TAILS)
    low, high, sure = _widened(_resampled_rates(main_P, control_Q, k, rng) - baseline, value, likely, utmost)
    note = f"{k} of {others} people kept out score as high"
    return Attack(
        name, matcher, level, rate(found_P), None, baseline, Excess(value, low, min(high, 1.0), sure), note
    )


def _resampled_rates(main_P: Floats, control_Q: Floats, k: int, rng: np.random.Generator) -> Floats:
    """The share of members above the k-th highest control person, [R], with both arms resampled."""
    ordered_P, ordered_Q = np.sort(main_P), np.sort(control_Q)
    step = max(1, 2**22 // len(control_Q))
    places = []
    for start in range(0, _REPEATS, step):
        drawn = rng.integers(len(control_Q), size=(min(step, _REPEATS - start), len(control_Q)))
        places.append(np.partition(drawn, -k, axis=1)[:, -k])
    thresholds_R = ordered_Q[np.concatenate(places)]
    shares_R = 1 - np.searchsorted(ordered_P, thresholds_R, "right") / len(main_P)
    return rng.binomial(len(main_P), shares_R) / len(main_P)


def _widened(resampled_R: Floats, value: float, likely: float, utmost: float) -> tuple[float, float, float]:
    """Ends of the interval: the resamples', or what strangers stray by, whichever is wider."""
    low, high, sure = np.quantile(resampled_R, (0.025, 0.975, SURE))
    return min(float(low), value - likely), max(float(high), value + likely), min(float(sure), value - utmost)


def _share_below(among: Floats, values: Floats) -> Floats:
    """Of each value, the share of the others below it; equals count half."""
    ordered = np.sort(among)
    places = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(places / (2 * len(among)), float)


def _normal(share: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)
