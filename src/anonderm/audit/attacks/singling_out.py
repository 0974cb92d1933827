"""Singling out: does some synthetic face match a member?

One of the three risks of Article 29 Working Party, Opinion 05/2014. Main, control and naive attack are those
of Giomi et al. 2023 ("A Unified Framework for Quantifying Privacy Risk in Synthetic Data", Anonymeter).
"""

# P people, M synthetic faces

import numpy as np

from anonderm.audit.attacks.nearest_synthetic import NearestSynthetic
from anonderm.audit.excess import excess_of_rates, rate
from anonderm.core.results.audit import Attack


def singling_out(
    matcher: str,
    threshold: float,
    false_match_rate: float,
    main: NearestSynthetic,
    control: NearestSynthetic,
    synthetic_faces: int,
    rng: np.random.Generator,
) -> Attack:
    """A person is singled out if a synthetic face is within the threshold of one of their photos.

    Baseline: that any of M unrelated faces matches a photo by chance, 1 - (1 - FMR)^M. It is near 1 for many
    faces; only the excess is informative then.
    """
    found, control_found = (arm.nearest_distances() <= threshold for arm in (main, control))
    level = f"FMR {false_match_rate:.1%}".replace(".0%", "%")
    baseline = float(-np.expm1(synthetic_faces * np.log1p(-false_match_rate)))
    arms = rate(found), rate(control_found)
    excess = excess_of_rates(found, control_found, rng)
    note, worst = f"within distance {threshold:.4g}", main.worst(found)
    return Attack("singling_out", matcher, level, *arms, baseline, excess, note, worst, threshold)
