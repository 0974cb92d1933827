"""Reproduction: is a synthetic face much nearer to a member than any synthetic face is to a non-member?

A handful of copies among hundreds of people changes no average. But a copy is far nearer than chance allows,
and the distances that chance allows are known from the non-members.
"""

# P members, Q non-members, K nearest of these

import numpy as np

from anonderm.audit.attacks.nearest_synthetic import NearestSynthetic
from anonderm.audit.excess import ONE_SIDED_ERROR, Floats, rate
from anonderm.core.results.audit import Attack, Excess

MIN_NON_MEMBERS = 50
"""With fewer non-members, their distances do not determine what chance allows."""

_SHARE = 0.1  # of the non-members, whose distances form the tail
_MIN_TAIL = 10


def reproduction(matcher: str, main: NearestSynthetic, control: NearestSynthetic) -> Attack | None:
    """Members within a distance that chance allows for any of them in one set of 1,000.

    None if there are fewer than 50 non-members. The excess is the share of members; a single one is
    significant, so `lower_bound` is above 0 if there is one.
    """
    distance_P, distance_Q = (arm.nearest_distances() for arm in (main, control))
    if len(distance_Q) < MIN_NON_MEMBERS:
        return None
    baseline = ONE_SIDED_ERROR / len(distance_P)
    limit = chance_limit(distance_Q, baseline)
    found_P = distance_P <= limit
    arm, control_arm = rate(found_P), rate(distance_Q <= limit)
    excess = Excess(arm.value, arm.low, arm.high, arm.low if found_P.any() else 0.0)
    note = f"within distance {limit:.4g}, which chance allows in one of 1,000 sets of so many people"
    worst = main.worst(found_P)
    return Attack("reproduction", matcher, "copies", arm, control_arm, baseline, excess, note, worst, limit)


def chance_limit(distance_Q: Floats, probability: float) -> float:
    """The distance below which a non-member lies with this probability, extrapolated from Q of them.

    Near 0 the share of non-members within a distance grows as a power of it; the exponent is Hill's estimate
    from the nearest tenth, less one standard error, which keeps the limit conservative. 0 if a non-member is
    at distance 0. Source: Hill 1975 (Annals of Statistics 3:1163), for reciprocals; Weissman 1978 for the
    extrapolation.
    """
    count = max(_MIN_TAIL, round(_SHARE * len(distance_Q)))
    tail_K = np.sort(distance_Q)[: count + 1]
    if tail_K[0] <= 0:
        return 0.0
    spread = float(np.log(tail_K[-1] / tail_K[:-1]).sum())
    if spread == 0:
        return 0.0
    exponent = (1 - count**-0.5) * (count - 1) / spread
    return float(tail_K[-1] * (probability * len(distance_Q) / count) ** (1 / exponent))
