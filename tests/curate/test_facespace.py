from __future__ import annotations

import numpy as np
import pytest

from anonderm.curate.facespace import FaceSpace, cross_validated_distances


@pytest.fixture
def plane() -> np.ndarray:
    """60 points of the plane z = 5."""
    points = np.random.default_rng(0).normal(size=(60, 3)) * (3, 2, 0)
    points[:, 2] = 5
    return points


def test_the_distance_is_that_to_the_reconstruction(plane):
    space = FaceSpace.fit(plane, 2)
    np.testing.assert_allclose(
        space.distance(np.array([[9.0, -7.0, 5.0], [1.0, 1.0, 8.5]])), [0, 3.5], atol=1e-9
    )


def test_without_enough_components_even_a_member_is_far(plane):
    one, two = FaceSpace.fit(plane, 1), FaceSpace.fit(plane, 2)
    assert one.distance(plane).mean() > 0.5
    assert two.distance(plane).max() < 1e-9


def test_few_faces_give_few_components():
    rows = np.random.default_rng(0).normal(size=(7, 20))
    assert FaceSpace.fit(rows, 100).components.shape == (2, 20)


def test_a_person_is_measured_against_others_only(plane):
    """Anna alone leaves the plane: with her photos in the fit, they would lie in its space."""
    anna = np.array([[0.0, 0.0, 45.0], [1.0, 0.0, 45.0], [0.0, 1.0, 45.0]])
    rows = np.concatenate([plane, anna])
    subjects = [f"p{index:02d}" for index in range(60)] + ["anna"] * 3
    distances = cross_validated_distances(rows, subjects, components=2)
    np.testing.assert_allclose(distances[-3:], 40, rtol=1e-6)


def test_two_people_are_measured_against_each_other():
    rows = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(cross_validated_distances(rows, ["a", "a", "b"], components=1), 5)
