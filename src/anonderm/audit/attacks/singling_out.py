"""Singling out: is some synthetic face the same person as a person in training?

The risk is one of the three of Article 29 Working Party, Opinion 05/2014; the arms are those of Giomi et al.
2023 ("A Unified Framework for Quantifying Privacy Risk in Synthetic Data", Anonymeter): main, control, naive
attack.
"""

# P people, M synthetic faces

from __future__ import annotations

import numpy as np

from anonderm.audit.arms import excess_of_rates, rate
from anonderm.audit.attacks.reach import Reach
from anonderm.core.results.audit import Attack

_WORST = 8


def singling_out(
    matcher: str,
    level: str,
    threshold: float,
    false_match_rate: float,
    main: Reach,
    control: Reach,
    synthetic_faces: int,
    rng: np.random.Generator,
) -> Attack:
    """A person is singled out where one synthetic face is within the threshold of one of her photos.

    Baseline: synthetic_faces strangers, each a false match with the matcher's false_match_rate, so
    1 - (1 - FMR)^M for a person's photo; near 1 for many faces, where only the excess tells anything.
    """
    found, control_found = (arm.distances_NK[arm.nearest_photo(), 0] <= threshold for arm in (main, control))
    return Attack(
        "singling_out",
        matcher,
        level,
        rate(found),
        rate(control_found),
        float(-np.expm1(synthetic_faces * np.log1p(-false_match_rate))),
        excess_of_rates(found, control_found, rng),
        f"within distance {threshold:.4g}",
        main.worst(_WORST, found),
    )
