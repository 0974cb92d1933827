"""Reproduction: does a synthetic face come nearer to somebody in training than to any stranger, by far?

A handful of copies among hundreds of people moves no average. But a copy lies far nearer than strangers ever
do, and how near these come is known from the people kept out.
"""

# P people in training, Q people kept out, K nearest of these

from __future__ import annotations

import numpy as np

from anonderm.audit.arms import SURE, Floats, rate
from anonderm.audit.attacks.reach import Reach
from anonderm.core.results.audit import Attack, Excess

FEWEST = 50
"""People kept out, below which their nearest ones don't tell how near strangers come."""

_SHARE = 0.1  # of the people kept out whose distances make the tail
_FEWEST_IN_TAIL = 10
_WORST = 8


def reproduction(matcher: str, main: Reach, control: Reach) -> Attack | None:
    """People in training within a distance that no stranger among so many would be, but in one set of 1,000.

    None where fewer than 50 people were kept out. The excess is the share of people; a single one shows a
    copy, so `sure` is above 0 where there is one.
    """
    distance_P, distance_Q = (arm.distances_NK[arm.nearest_photo(), 0] for arm in (main, control))
    if len(distance_Q) < FEWEST:
        return None
    limit = never_nearer(distance_Q, SURE / len(distance_P))
    found_P = distance_P <= limit
    arm, control_arm = rate(found_P), rate(distance_Q <= limit)
    excess = Excess(arm.value, arm.low, arm.high, arm.low if found_P.any() else 0.0)
    note = f"within distance {limit:.4g}, as near as a stranger comes in one of 1,000 sets of so many people"
    baseline = SURE / len(distance_P)
    return Attack(
        "reproduction",
        matcher,
        "copies",
        arm,
        control_arm,
        baseline,
        excess,
        note,
        main.worst(_WORST, found_P),
    )


def never_nearer(distance_Q: Floats, probability: float) -> float:
    """The distance that a stranger is nearer than with this probability, beyond what Q strangers show.

    Near 0 the share of strangers within a distance grows as its power; the exponent is Hill's estimate from
    the nearest tenth, less one standard error, so that chance does not take the distance too far. 0 where a
    stranger is at distance 0. Source: Hill 1975 (Annals of Statistics 3:1163), for reciprocals; Weissman 1978
    for the extrapolation.
    """
    count = max(_FEWEST_IN_TAIL, round(_SHARE * len(distance_Q)))
    tail_K = np.sort(distance_Q)[: count + 1]
    if tail_K[0] <= 0:
        return 0.0
    spread = float(np.log(tail_K[-1] / tail_K[:-1]).sum())
    if spread == 0:
        return 0.0
    exponent = (1 - count**-0.5) * (count - 1) / spread
    return float(tail_K[-1] * (probability * len(distance_Q) / count) ** (1 / exponent))
