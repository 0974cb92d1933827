"""Numbers of heat maps whose answers can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from anonderm.core.records import Lesion
from anonderm.metrics import pointing


def test_boxes_cover_parts_of_pixels_and_each_pixel_once():
    boxes = np.array([[0.5, 1.0, 2.0, 3.0], [0.0, 1.0, 1.0, 2.0]])
    expected = np.zeros((4, 4))
    expected[1:3, 0], expected[1:3, 1], expected[1, 0] = 0.5, 1.0, 1.0
    np.testing.assert_allclose(pointing.cover(boxes, (4, 4)), expected)


def test_boxes_are_scaled_to_the_map():
    boxes = pointing.boxes_of([Lesion("papule", 10, 20, 30, 60)], (0.5, 0.25))
    np.testing.assert_allclose(boxes, [[5, 5, 15, 15]])
    assert pointing.boxes_of([], (1, 1)).shape == (0, 4)


def test_uniform_heat_gets_the_baseline_and_heat_in_the_box_gets_everything():
    cover = pointing.cover(np.array([[2.0, 2.0, 6.0, 4.0]]), (8, 8))
    assert pointing.share_inside(np.ones((8, 8)), cover) == pytest.approx(cover.mean()) == 8 / 64
    assert pointing.share_inside(cover, cover) == 1
    assert pointing.share_inside(1 - cover, cover) == 0
    assert pointing.share_inside(np.zeros((8, 8)), cover) == 0


def test_pointing_forgives_as_far_as_the_tolerance():
    box = np.array([[4.0, 4.0, 5.0, 5.0]])
    heat = np.zeros((10, 10))
    heat[4, 7] = 1  # its middle lies 2.5 pixels right of the box
    assert not pointing.hits(heat, pointing.near(box, (10, 10), 2.4))
    assert pointing.hits(heat, pointing.near(box, (10, 10), 2.5))
    assert not pointing.hits(np.zeros((10, 10)), np.ones((10, 10), bool))


def test_chance_at_pointing_is_that_of_a_random_pixel():
    near = pointing.near(np.array([[3.0, 3.0, 9.0, 6.0]]), (12, 12), 1.2)
    hits = []
    for place in range(144):
        heat = np.zeros(144)
        heat[place] = 1
        hits.append(pointing.hits(heat.reshape(12, 12), near))
    assert np.mean(hits) == near.mean() > 18 / 144


def test_a_mask_is_averaged_when_it_shrinks():
    mask = np.zeros((8, 8), bool)
    mask[:, :3] = True
    np.testing.assert_allclose(pointing.skin_cover(mask, (4, 4))[0], [1, 0.5, 0, 0], atol=0.01)
