from __future__ import annotations

import numpy as np
import pytest

from anonderm.core.records import Lesion
from anonderm.metrics.lesion_distances import (
    LesionGroup,
    distances,
    distances_with_intervals,
    energy_distance,
    sizes_and_places,
)


def faces(counts: list[int], side: float = 10.0, x: float = 50.0) -> LesionGroup:
    """Faces of 200 px with so many lesions, each of another person."""
    lesion = Lesion("papule", x - side / 2, 40 - side / 2, x + side / 2, 40 + side / 2)
    return LesionGroup(
        tuple(sizes_and_places([lesion] * count, 200) for count in counts), tuple(range(len(counts)))
    )


def test_sizes_and_places_are_shares_of_the_width() -> None:
    assert sizes_and_places([Lesion("papule", 10, 20, 30, 40)], 200) == pytest.approx(
        np.array([[10.0, 10.0, 15.0]])
    )
    assert sizes_and_places([], 200).shape == (0, 3)


def test_equal_groups_have_distance_zero() -> None:
    assert distances(faces([1, 2, 3]), faces([3, 2, 1])) == {"count": 0, "size": 0, "place": 0}


def test_one_more_lesion_a_face_is_a_distance_of_one_and_one_percent_larger_of_one() -> None:
    found = distances(faces([1, 2, 3]), faces([2, 3, 4], side=12.0))
    assert found["count"] == pytest.approx(1)
    assert found["size"] == pytest.approx(1)
    assert found["place"] == pytest.approx(0, abs=1e-12)


def test_the_energy_distance_of_two_points_is_twice_their_distance() -> None:
    assert energy_distance(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0]])) == pytest.approx(10)


def test_faces_without_lesions_have_a_count_and_no_size() -> None:
    assert distances(faces([0, 0]), faces([1, 1])) == {"count": 1.0}


def test_the_interval_contains_the_value_and_one_person_gives_none() -> None:
    rng = np.random.default_rng(0)
    found = distances_with_intervals(faces([1, 2, 3, 5, 8, 2]), faces([4, 6, 7, 2, 9]), rng)
    value, low, high = found["count"]
    assert low is not None
    assert high is not None
    assert 0 <= low < value < high
    assert distances_with_intervals(faces([1]), faces([1, 2]), rng)["count"] == (0.5, None, None)
