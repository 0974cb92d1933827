"""Linkability: do two photos of one person lead to the same synthetic faces?

Source: Giomi et al. 2023 (Anonymeter), linkability attack: two records are linked when their k nearest
synthetic records share one.
"""

# N photos, P people, K nearest synthetic faces of a photo, M synthetic faces

from itertools import combinations
from math import comb

import numpy as np

from anonderm.audit.attacks.nearest_synthetic import WORST, NearestSynthetic
from anonderm.audit.excess import Floats, excess_of_rates, rate
from anonderm.core.results.audit import Attack, Pair
from anonderm.core.splits import rows_by_group


def linkability(
    matcher: str,
    main: NearestSynthetic,
    control: NearestSynthetic,
    synthetic_faces: int,
    rng: np.random.Generator,
    known_rows: int | None = None,
) -> Attack | None:
    """For each person with several photos, the share of their pairs of photos that are linked.

    known_rows: from this row on, photos were not used for training; only pairs of one such photo and another
    one count. None if nobody in an arm has such a pair. Baseline: two random draws of K of M faces share one.
    """
    linked, pairs = _linked(main, known_rows)
    control_linked, _ = _linked(control, known_rows)
    if not len(linked) or not len(control_linked):
        return None
    k = main.faces_NK.shape[1]
    baseline = 1.0 - comb(synthetic_faces - k, k) / comb(synthetic_faces, k)
    arms = rate(linked), rate(control_linked)
    excess = excess_of_rates(linked, control_linked, rng)
    note = f"pairs of photos of one person whose {k} nearest synthetic faces share one"
    worst = tuple(sorted(pairs, key=lambda pair: pair.distance)[:WORST])
    return Attack("linkability", matcher, f"{k} nearest", *arms, baseline, excess, note, worst)


def _linked(arm: NearestSynthetic, known_rows: int | None) -> tuple[Floats, list[Pair]]:
    shares, worst = [], []
    unused_N = arm.rows_N >= (known_rows or 0)
    for photos in rows_by_group(arm.owners):
        pairs = list(combinations(photos, 2))
        if known_rows is not None:
            pairs = [(one, two) for one, two in pairs if unused_N[one] != unused_N[two]]
        if not pairs:
            continue
        links = [link for one, two in pairs if (link := _link(arm, one, two)) is not None]
        shares.append(len(links) / len(pairs))
        worst += links
    return np.array(shares), worst


def _link(arm: NearestSynthetic, one: int, two: int) -> Pair | None:
    """The shared synthetic face nearest to both photos, paired with the first of them."""
    shared, at_one, at_two = np.intersect1d(arm.faces_NK[one], arm.faces_NK[two], return_indices=True)
    if not len(shared):
        return None
    apart = np.maximum(arm.distances_NK[one, at_one], arm.distances_NK[two, at_two])
    best = int(np.argmin(apart))
    return Pair(int(arm.rows_N[one]), int(shared[best]), float(apart[best]))
