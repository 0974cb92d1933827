"""Boxes and points mapped from one image to another."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.affine import crop_and_scale, map_lesions, map_points
from anonderm.core.records import Lesion

SIDES = st.floats(1, 1000)


@given(SIDES, SIDES, SIDES, SIDES, SIDES, SIDES)
def test_a_crop_maps_its_corners_to_those_of_the_image(
    left: float, top: float, width: float, height: float, new_width: float, new_height: float
) -> None:
    affine = crop_and_scale(left, top, width, height, (new_width, new_height))
    corners = map_points(np.array([[left, top], [left + width, top + height]]), affine)
    np.testing.assert_allclose(corners, [[0, 0], [new_width, new_height]], atol=1e-6)


def test_boxes_move_with_the_image_and_are_clipped_at_its_edge() -> None:
    affine = crop_and_scale(10, 20, 40, 40, (80, 80))
    kept, lost = map_lesions(
        [Lesion("papule", 20, 30, 24, 32), Lesion("nodule", 8, 30, 18, 40)], affine, (80, 80)
    )
    assert kept == (Lesion("papule", 20, 20, 28, 24), Lesion("nodule", 0, 20, 16, 40))
    assert lost == 0


def test_a_box_that_lies_mostly_outside_is_dropped_and_counted() -> None:
    affine = crop_and_scale(10, 20, 40, 40, (80, 80))
    kept, lost = map_lesions(
        [Lesion("papule", 4, 30, 12, 40), Lesion("papule", 60, 70, 65, 75)], affine, (80, 80)
    )
    assert kept == ()
    assert lost == 2


def test_a_rotated_box_becomes_its_axis_aligned_bounding_box() -> None:
    quarter_turn = np.array([[0.0, -1.0, 50.0], [1.0, 0.0, 0.0]])
    kept, _ = map_lesions([Lesion("papule", 10, 20, 14, 30)], quarter_turn, (50, 50))
    assert kept == (Lesion("papule", 20, 10, 30, 14),)
