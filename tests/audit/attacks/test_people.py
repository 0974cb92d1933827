"""Attacks that count people: singling out, linkability, attribute inference."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from anonderm.audit.attacks.attribute_inference import attribute_inference
from anonderm.audit.attacks.linkability import linkability
from anonderm.audit.attacks.nearest_synthetic import NearestSynthetic
from anonderm.audit.attacks.singling_out import singling_out


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def nearest(
    distances: list[list[float]], faces: list[list[int]], owners: str, first: int = 0
) -> NearestSynthetic:
    rows = np.arange(first, first + len(owners))
    return NearestSynthetic(np.array(distances), np.array(faces), tuple(owners), rows)


def unrelated(
    people: int, random: np.random.Generator, synthetic: int = 500, k: int = 3, photos: int = 2
) -> NearestSynthetic:
    """Photos with random nearest synthetic faces."""
    count = people * photos
    distances = np.sort(random.exponential(size=(count, k)), axis=1)
    faces = np.stack([random.permutation(synthetic)[:k] for _ in range(count)])
    owners = tuple(f"p{photo // photos:04d}" for photo in range(count))
    return NearestSynthetic(distances, faces, owners, np.arange(count))


def test_a_person_is_singled_out_by_any_of_their_photos():
    main = nearest([[0.3], [0.1], [0.5], [0.05]], [[4], [5], [6], [7]], "baac")
    control = nearest([[0.4], [0.1]], [[1], [2]], "xy", first=4)
    attack = singling_out("copy", 0.1, 0.01, main, control, 3, rng())
    assert (attack.main.successes, attack.main.people) == (2, 3)  # a by her first photo, c
    assert (attack.control.successes, attack.control.people) == (1, 2)  # at the threshold counts
    assert attack.baseline == pytest.approx(1 - 0.99**3)
    assert attack.excess.value == pytest.approx(2 / 3 - 1 / 2)
    assert [(case.real, case.synthetic, case.distance) for case in attack.worst] == [
        (3, 7, 0.05),
        (1, 5, 0.1),
    ]


def test_unrelated_people_are_singled_out_alike_in_both_arms():
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(40):
        main, control = unrelated(120, random), unrelated(40, random)
        excess = singling_out("copy", 0.1, 0.01, main, control, 500, random).excess
        inside += excess.low <= 0 <= excess.high
    assert inside >= 35


def test_copies_of_members_show_as_excess():
    random = np.random.default_rng(2)
    main, control = unrelated(120, random), unrelated(60, random)
    main.distances_NK[:60:2, 0] = 0.0
    attack = singling_out("copy", 0.01, 0.01, main, control, 500, rng())
    assert attack.excess.lower_bound > 0
    assert {case.distance for case in attack.worst} == {0.0}


def test_two_photos_are_linked_by_a_synthetic_face_near_both():
    """a's photos share face 7, b's none, c has one photo only; d has three, of whose three pairs one is
    linked."""
    main = nearest(
        [[0.1, 0.2], [0.3, 0.4], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2], [1, 2]],
        [[7, 1], [2, 7], [1, 2], [3, 4], [7, 8], [10, 11], [11, 12], [13, 14]],
        "aabbcddd",
    )
    control = nearest([[1, 2], [1, 2]], [[1, 2], [3, 4]], "xx", first=8)
    attack = linkability("copy", main, control, 20, rng())
    assert attack is not None
    assert attack.main.value == pytest.approx((1 + 0 + 1 / 3) / 3)
    assert attack.main.people == 3
    assert attack.control.value == 0
    assert attack.baseline == pytest.approx(1 - comb(18, 2) / comb(20, 2))
    assert (attack.worst[0].real, attack.worst[0].synthetic, attack.worst[0].distance) == (0, 7, 0.4)


def test_with_photos_not_used_for_training_only_pairs_across_count():
    """a's rows 0 and 1 share face 7, but only row 9 was not used for training, and it shares none."""
    main = NearestSynthetic(
        np.full((5, 2), 0.1),
        np.array([[7, 1], [2, 7], [5, 6], [3, 4], [8, 3]]),
        tuple("aaabb"),
        np.array([0, 1, 9, 2, 8]),
    )
    control = NearestSynthetic(
        np.full((2, 2), 0.1), np.array([[1, 2], [3, 4]]), tuple("xx"), np.array([3, 10])
    )
    attack = linkability("copy", main, control, 20, rng(), known_rows=8)
    assert attack is not None
    assert attack.main.value == pytest.approx((0 + 1) / 2)
    only_used = NearestSynthetic(control.distances_NK, control.faces_NK, tuple("xx"), np.array([3, 4]))
    assert linkability("copy", main, only_used, 20, rng(), known_rows=8) is None


def test_linkability_of_unrelated_people_is_that_of_guessing():
    random = np.random.default_rng(3)
    attack = linkability("copy", unrelated(2000, random, 60, 5), unrelated(2000, random, 60, 5), 60, rng())
    assert attack is not None
    assert attack.main.value == pytest.approx(attack.baseline, abs=0.04)
    assert attack.excess.low <= 0 <= attack.excess.high


def test_linkability_needs_somebody_with_two_photos_in_either_arm():
    random = np.random.default_rng(4)
    assert linkability("copy", unrelated(9, random), unrelated(9, random, photos=1), 500, rng()) is None


def test_the_class_is_guessed_from_the_synthetic_face_nearest_to_any_photo():
    main = nearest([[0.2], [0.1], [0.3]], [[0], [1], [2]], "aab")
    control = nearest([[0.2], [0.5]], [[0], [1]], "xy", first=3)
    real = ["mild", "mild", "severe", "mild", None]
    attack = attribute_inference("copy", main, control, real, ["severe", "mild", "mild"], rng())
    assert attack is not None
    assert (attack.main.successes, attack.main.people) == (1, 2)  # a by her nearer photo, b not
    assert (attack.control.successes, attack.control.people) == (0, 1)  # y has no class
    assert attack.baseline == 0.5


def test_inference_has_an_excess_only_if_labels_leak():
    random = np.random.default_rng(5)
    main, control = unrelated(300, random, photos=1), unrelated(100, random, photos=1)
    real, synthetic = (
        random.choice(["a", "b", "c"], 300).tolist(),
        random.choice(["a", "b", "c"], 500).tolist(),
    )
    attack = attribute_inference("copy", main, control, real, synthetic, rng())
    assert attack is not None
    assert attack.excess.low <= 0 <= attack.excess.high
    labels = [*synthetic, *real]
    main.faces_NK[:150, 0] = 500 + np.arange(150)
    leaking = attribute_inference("copy", main, control, real, labels, rng())
    assert leaking is not None
    assert leaking.excess.lower_bound > 0.1


@pytest.mark.parametrize(
    ("real", "synthetic"),
    [(["a", "a", None], ["a"] * 3), (["a", "b", "a"], [None] * 3), ([None, None, "a"], ["a"] * 3)],
)
def test_inference_needs_classes_on_every_side(real: list[str | None], synthetic: list[str | None]):
    main = nearest([[0.2], [0.1]], [[0], [1]], "ab")
    control = nearest([[0.2]], [[2]], "x", first=2)
    assert attribute_inference("copy", main, control, real, synthetic, rng()) is None
