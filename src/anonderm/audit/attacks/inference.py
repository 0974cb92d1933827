"""Inference: does the nearest synthetic face tell a person's class better than it tells that of a stranger?

Source: Giomi et al. 2023 (Anonymeter), inference attack: the attacker knows all but the secret (here: has a
photo, as a matcher sees it), and takes the secret from the nearest synthetic record. What also works on
control people is knowledge of people in general, which a useful synthetic set must hold; only the excess
tells of the people in training.
"""

# N photos, P people, M synthetic faces

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anonderm.audit.arms import excess_of_rates, rate
from anonderm.audit.attacks.reach import Reach
from anonderm.core.results.audit import Attack

_WORST = 8


def inference(
    matcher: str,
    main: Reach,
    control: Reach,
    real_labels: Sequence[str | None],
    synthetic_labels: Sequence[str | None],
    rng: np.random.Generator,
) -> Attack | None:
    """A guess is right where the synthetic face nearest to any of a person's photos has that photo's class.

    real_labels, synthetic_labels: of all rows that the arms' rows_N and faces_NK name. Photos without a class
    are left out. Baseline: the commonest class in training, guessed for everybody. None where an arm has no
    photo with a class, where no synthetic face has one, or where there is one class only.
    """
    main, control = (_labelled(arm, real_labels) for arm in (main, control))
    known = {real_labels[row] for row in main.rows_N}
    if not main.owners or not control.owners or len(known) < 2 or not any(synthetic_labels):
        return None
    right, control_right = (_right(arm, real_labels, synthetic_labels) for arm in (main, control))
    counts = Counter(real_labels[main.rows_N[photo]] for photo in main.nearest_photo())
    return Attack(
        "inference",
        matcher,
        "class",
        rate(right),
        rate(control_right),
        counts.most_common(1)[0][1] / sum(counts.values()),
        excess_of_rates(right, control_right, rng),
        "people whose class is that of the nearest synthetic face",
        main.worst(_WORST, right),
    )


def _labelled(arm: Reach, labels: Sequence[str | None]) -> Reach:
    return arm.where(np.array([labels[row] is not None for row in arm.rows_N], bool))


def _right(
    arm: Reach, real_labels: Sequence[str | None], synthetic_labels: Sequence[str | None]
) -> NDArray[np.bool_]:
    photo_P = arm.nearest_photo()
    rows_and_faces = zip(arm.rows_N[photo_P], arm.faces_NK[photo_P, 0], strict=True)
    return np.array([real_labels[row] == synthetic_labels[face] for row, face in rows_and_faces], bool)
