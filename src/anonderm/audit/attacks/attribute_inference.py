"""Attribute inference: does the nearest synthetic face reveal a member's class?

Source: Giomi et al. 2023 (Anonymeter), inference attack: the attacker knows everything except the secret
(here: has a photo and a matcher), and takes the secret from the nearest synthetic record. What also works on
non-members is general knowledge, which a useful synthetic set must contain; only the excess is due to
training.
"""

# N photos, P people, M synthetic faces

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anonderm.audit.attacks.nearest_synthetic import NearestSynthetic
from anonderm.audit.excess import excess_of_rates, rate
from anonderm.core.results.audit import Attack


def attribute_inference(
    matcher: str,
    main: NearestSynthetic,
    control: NearestSynthetic,
    real_labels: Sequence[str | None],
    synthetic_labels: Sequence[str | None],
    rng: np.random.Generator,
) -> Attack | None:
    """A guess is right if the synthetic face nearest to any of a person's photos has that photo's class.

    real_labels, synthetic_labels: of the rows in the arms' rows_N and faces_NK. Photos without a class are
    left out. Baseline: guessing the most frequent class of the members for everybody. None if an arm has no
    labelled photo, if no synthetic face has a class, or if there is only one class.
    """
    is_labelled_N = np.array([label is not None for label in real_labels], bool)
    main, control = (arm.where(is_labelled_N[arm.rows_N]) for arm in (main, control))
    known = {real_labels[row] for row in main.rows_N}
    if not main.owners or not control.owners or len(known) < 2 or not any(synthetic_labels):
        return None
    right, control_right = (_right(arm, real_labels, synthetic_labels) for arm in (main, control))
    counts = Counter(real_labels[main.rows_N[photo]] for photo in main.nearest_photo())
    baseline = counts.most_common(1)[0][1] / counts.total()
    arms = rate(right), rate(control_right)
    excess = excess_of_rates(right, control_right, rng)
    note = "people whose class is that of the nearest synthetic face"
    return Attack("attribute_inference", matcher, "class", *arms, baseline, excess, note, main.worst(right))


def _right(
    arm: NearestSynthetic, real_labels: Sequence[str | None], synthetic_labels: Sequence[str | None]
) -> NDArray[np.bool_]:
    photo_P = arm.nearest_photo()
    rows_and_faces = zip(arm.rows_N[photo_P], arm.faces_NK[photo_P, 0], strict=True)
    return np.array([real_labels[row] == synthetic_labels[face] for row, face in rows_and_faces], bool)
