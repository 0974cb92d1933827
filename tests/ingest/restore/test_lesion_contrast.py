"""Lesions measured against the skin around them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from anonderm.core.records import Lesion
from anonderm.ingest.restore.lesion_contrast import compare, differences, lab

SKIN, RED = (200, 160, 140), (170, 90, 80)
LESION = Lesion("papule", 20, 24, 32, 34)


def picture(skin: tuple[int, int, int] = SKIN, lesion: tuple[int, int, int] = RED) -> np.ndarray:
    image = np.full((64, 64, 3), skin, np.uint8)
    cv2.ellipse(image, (26, 29), (7, 6), 0, 0, 360, lesion, -1)
    return image


def test_the_difference_is_that_of_the_two_colours_in_lab() -> None:
    colours = lab(np.array([[RED, SKIN]], np.uint8))
    (found,) = differences(picture(), [LESION], None)
    np.testing.assert_allclose(found, colours[0, 0] - colours[0, 1], atol=1e-3)


def test_an_unchanged_lesion_keeps_all_and_half_the_colour_half() -> None:
    (before,) = differences(picture(), [LESION], None)
    assert compare(before, before).kept == pytest.approx(1)
    assert compare(before, before / 2).kept == pytest.approx(0.5)
    assert compare(before, 0 * before).kept == pytest.approx(0)
    assert compare(before, -before).kept == pytest.approx(-1)


def test_hairs_across_a_lesion_and_a_neighbour_beside_it_do_not_count() -> None:
    image = picture()
    (alone,) = differences(image, [LESION], None)
    image[:, 25] = 0
    neighbour = Lesion("nodule", 34, 20, 44, 40)
    image[20:40, 34:44] = (60, 20, 20)
    found, _ = differences(image, [LESION, neighbour], None)
    np.testing.assert_allclose(found, alone, atol=1e-3)


def test_only_skin_counts() -> None:
    image, skin_HW = picture(), np.ones((64, 64), bool)
    (alone,) = differences(image, [LESION], skin_HW)
    image[:, :24] = 0
    skin_HW[:, :24] = False
    (found,) = differences(image, [LESION], skin_HW)
    np.testing.assert_allclose(found, alone, atol=1e-3)


def test_a_lesion_that_cannot_be_measured_has_a_reason() -> None:
    (faint,) = differences(picture(lesion=SKIN), [LESION], None)
    assert compare(faint, faint).not_measured == "too faint"
    assert compare(faint, faint).kept is None
    (tiny,) = differences(picture(), [Lesion("comedone", 30, 30, 31, 31)], None)
    assert tiny is None
    assert compare(tiny, faint).not_measured == "too small"


def test_a_box_at_the_edge_is_measured_inside_the_picture() -> None:
    image = np.full((64, 64, 3), SKIN, np.uint8)
    image[:8, :8] = RED
    (found,) = differences(image, [Lesion("papule", 0, 0, 8, 8)], None)
    assert np.linalg.norm(found) > 20
