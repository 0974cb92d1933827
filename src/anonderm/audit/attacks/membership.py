"""Membership inference: does a score separate members from non-members?

A score is any number that the attacker expects to be higher for members. Besides the AUC, the true positive
rate at low false positive rates is reported, as recommended by Carlini et al. 2022 ("Membership Inference
Attacks From First Principles").
"""

# P members, Q non-members, N photos, R resamples, K neighbours

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from anonderm.audit.attacks.nearest_synthetic import NearestSynthetic, first_by
from anonderm.audit.excess import ONE_SIDED_ERROR, RESAMPLES, Floats, rate, resampled_means, widened
from anonderm.core.results.audit import Arm, Attack, Excess, Pair

FALSE_POSITIVE_RATES = {"TPR at FPR 5%": 0.05, "TPR at FPR 1%": 0.01, "TPR at FPR 0.1%": 0.001}
_TAILS = (0.025, ONE_SIDED_ERROR)


def gan_leaks(photos: NearestSynthetic) -> Floats:
    """Score [P] of each person, by name: the negative distance to the nearest synthetic face.

    Source: Chen et al. 2020 (GAN-Leaks), the full black-box attack, which needs only the released set.
    """
    return -photos.nearest_distances()


def domias(
    kth_synthetic_N: ArrayLike, kth_reference_N: ArrayLike, owners: Sequence[str], dimensions: int
) -> Floats:
    """Score [P] of each person: the largest log ratio of two densities, synthetic over reference.

    Where the synthetic set is dense and the reference people are sparse, somebody was probably in training.
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
    """The AUC, and every TPR that the number of non-members allows; higher scores mean members."""
    main, control = np.asarray(main_P, float), np.asarray(control_Q, float)
    found = [area_under_curve(name, matcher, main, control, rng, note, worst)]
    for level, share in FALSE_POSITIVE_RATES.items():
        if (k := allowed(share, len(control))) >= 1:
            found.append(_true_positives(name, matcher, level, main, control, k, rng))
    return found


def allowed(share: float, control: int) -> int:
    """How many of the non-members may be false positives, so that the rate is at most `share`.

    Another non-member scores above the k-th highest of n with probability k / (n + 1), whatever the
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
    """Probability that a member scores above a non-member, ties counting half.

    Bootstrap over people of both arms by its Hajek projection: the means of the placement values (DeLong et
    al. 1988) are resampled. Widened to the spread that the AUC has under no effect (Mann & Whitney
    1947), which does not vanish where the arms are separated.
    """
    above_P, below_Q = _share_below(control_Q, main_P), 1 - _share_below(main_P, control_Q)
    value = float(above_P.mean())
    resampled_R = resampled_means(above_P, rng) + resampled_means(below_Q, rng) - value
    deviation = np.sqrt((len(main_P) + len(control_Q) + 1) / (12 * len(main_P) * len(control_Q)))
    spread, wide = (deviation * NormalDist().inv_cdf(1 - tail) for tail in _TAILS)
    low, high, bound = widened(resampled_R, value - spread, value + spread, value - wide)
    arm = Arm(value, max(0.0, low), min(1.0, high), len(main_P))
    excess = Excess(value - 0.5, low - 0.5, high - 0.5, bound - 0.5)
    return Attack(name, matcher, "AUC", arm, None, 0.5, excess, note, worst)


def _true_positives(
    name: str, matcher: str, level: str, main_P: Floats, control_Q: Floats, k: int, rng: np.random.Generator
) -> Attack:
    """The share of members who score above all but k - 1 non-members.

    The interval resamples both arms, and is widened to the spread without an effect: how many of P come
    before the k-th of Q in a random order is negative hypergeometric.
    """
    from scipy.stats import nhypergeom

    people, others = len(main_P), len(control_Q)
    found_P = main_P > np.sort(control_Q)[::-1][k - 1]
    baseline = k / (others + 1)
    value = float(found_P.mean()) - baseline
    by_chance = nhypergeom(people + others, people, k)
    spread, wide = (float(by_chance.ppf(1 - tail)) / people - baseline for tail in _TAILS)
    resampled_R = _resampled_rates(main_P, control_Q, k, rng) - baseline
    low, high, bound = widened(resampled_R, value - spread, value + spread, value - wide)
    note = f"threshold reached by {k} of {others} non-members"
    excess = Excess(value, low, min(high, 1.0), bound)
    return Attack(name, matcher, level, rate(found_P), None, baseline, excess, note)


def _resampled_rates(main_P: Floats, control_Q: Floats, k: int, rng: np.random.Generator) -> Floats:
    """The share [R] of members above the k-th highest non-member, with both arms resampled."""
    ordered_P, ordered_Q = np.sort(main_P), np.sort(control_Q)
    step = max(1, 2**22 // len(control_Q))
    places = []
    for start in range(0, RESAMPLES, step):
        drawn = rng.integers(len(control_Q), size=(min(step, RESAMPLES - start), len(control_Q)))
        places.append(np.partition(drawn, -k, axis=1)[:, -k])
    thresholds_R = ordered_Q[np.concatenate(places)]
    shares_R = 1 - np.searchsorted(ordered_P, thresholds_R, "right") / len(main_P)
    return rng.binomial(len(main_P), shares_R) / len(main_P)


def _share_below(among: Floats, values: Floats) -> Floats:
    """Of each value, the share of the others below it; equals count half."""
    ordered = np.sort(among)
    places = np.searchsorted(ordered, values, "left") + np.searchsorted(ordered, values, "right")
    return np.asarray(places / (2 * len(among)), float)
