"""Skin tone: the angle against its definition and the phantom's truth; lesions and glare do not move it."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from anonderm.core.records import Lesion
from anonderm.phantom.condition import CLASSES, sample_condition
from anonderm.phantom.draw import draw
from anonderm.phantom.paint import lab_to_linear
from anonderm.phantom.person import sample_person
from anonderm.phantom.photo import sample_photo
from anonderm.skin.skin_tone import (
    FITZPATRICK_TYPES,
    MONK_COLOURS,
    fitzpatrick,
    ita,
    monk,
    skin_ita,
    to_lab,
)

ANGLES = st.floats(-90, 90)


def encoded(lightness: float, a: float, b: float) -> np.ndarray:
    linear = np.array(lab_to_linear(lightness, a, b))
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055)
    return np.round(np.clip(srgb, 0, 1) * 255).astype(np.uint8)


def skin(lightness: float = 65.0, a: float = 10.0, b: float = 15.0, side: int = 40) -> np.ndarray:
    return np.tile(encoded(lightness, a, b), (side, side, 1))


def ita_of(image: np.ndarray, lesions: tuple[Lesion, ...] = ()) -> float:
    found = skin_ita(image, np.ones(image.shape[:2], bool), lesions)
    assert found is not None
    return found


def test_white_grey_and_red_have_their_cielab_coordinates():
    lab = to_lab(np.array([[255, 255, 255], [119, 119, 119], [255, 0, 0]], np.uint8))
    assert lab[0] == pytest.approx([100, 0, 0], abs=0.02)
    assert lab[1] == pytest.approx([50.03, 0, 0], abs=0.05)
    assert lab[2] == pytest.approx([53.24, 80.09, 67.20], abs=0.05)


@pytest.mark.parametrize(("lightness", "b"), [(65.0, 15.0), (50.0, 18.0), (35.0, 12.0), (75.0, 9.0)])
def test_the_angle_is_that_of_its_definition(lightness, b):
    expected = math.degrees(math.atan((lightness - 50) / b))
    assert ita_of(skin(lightness, 10.0, b)) == pytest.approx(expected, abs=2)


def test_a_grey_picture_has_no_skin_tone():
    bluish = np.full((20, 20, 3), (130, 130, 135), np.uint8)
    assert skin_ita(bluish, np.ones((20, 20), bool)) is None
    assert ita(60.0, 0.0) is None
    assert ita(60.0, -5.0) is None


def test_a_few_pixels_are_no_skin():
    mask = np.zeros((40, 40), bool)
    mask[:7, :7] = True
    assert skin_ita(skin(), mask) is None


def test_highlights_shadows_and_inflamed_skin_do_not_move_it():
    clean, image = skin(), skin()
    image[:6] = 255
    image[6:12] = encoded(25, 8, 10)
    image[12:18] = encoded(55, 40, 20)
    assert abs(ita_of(image) - ita_of(clean)) < 1


def test_lesion_boxes_are_excluded_even_if_they_cover_most_of_the_skin():
    image = skin()
    image[:30] = encoded(45, 45, 25)
    box = Lesion("papule", -3.0, -3.0, 40.0, 30.0)
    assert ita_of(image, (box,)) == pytest.approx(ita_of(skin()), abs=0.5)
    assert abs(ita_of(image) - ita_of(skin())) > 10


def test_skin_that_is_all_lesion_is_measured_as_it_is():
    assert ita_of(skin(), (Lesion("papule", 0, 0, 40, 40),)) == pytest.approx(ita_of(skin()), abs=0.1)


@given(ANGLES, ANGLES)
def test_darker_skin_never_has_a_lighter_bin(first, second):
    darker, lighter = sorted((first, second))
    assert FITZPATRICK_TYPES.index(fitzpatrick(darker)) >= FITZPATRICK_TYPES.index(fitzpatrick(lighter))
    assert int(monk(darker)) >= int(monk(lighter))


def test_bins_have_the_boundaries_of_the_literature():
    assert [fitzpatrick(angle) for angle in (56, 55, 41, 28, 10, -30)] == ["I", "II", "III", "IV", "V", "VI"]


def test_each_swatch_is_its_own_monk_tone():
    for tone, colour in MONK_COLOURS.items():
        image = np.tile(np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.uint8), (20, 20, 1))
        assert monk(ita_of(image)) == tone


def test_it_finds_the_tone_that_phantoms_were_drawn_with():
    truth, measured = [], []
    for index in range(40):
        rng = np.random.default_rng(index)
        condition = sample_condition(rng, CLASSES[index % len(CLASSES)])
        drawing = draw(sample_person(rng), sample_photo(rng), condition, 96)
        found = skin_ita(drawing.image, drawing.skin, drawing.lesions)
        assert found is not None
        truth.append(drawing.ita)
        measured.append(found)
    errors = np.abs(np.array(truth) - np.array(measured))
    assert spearmanr(truth, measured).statistic > 0.97
    assert np.median(errors) < 6
    assert len(Counter(fitzpatrick(angle) for angle in measured)) >= 5
