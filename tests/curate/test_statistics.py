from __future__ import annotations

import numpy as np
import pytest

from anonderm.curate.statistics import STATISTICS, measure

NAMES = [statistic.name for statistic in STATISTICS]
FLOORS = np.array([statistic.floor for statistic in STATISTICS])


def values(image: np.ndarray) -> dict[str, float]:
    """Statistics of one image, without logarithm and floor."""
    measured = np.exp(measure(image[None])[0]) - FLOORS
    return dict(zip(NAMES, measured, strict=True))


def flat(level: int = 128) -> np.ndarray:
    return np.full((64, 64, 3), level, np.uint8)


def test_a_flat_picture_has_brightness_only():
    found = values(flat(51))
    assert found.pop("brightness") == pytest.approx(0.2)
    assert all(value == pytest.approx(0, abs=1e-5) for value in found.values())


def test_contrast_is_the_standard_deviation_of_luminance():
    image = flat(0)
    image[:, 32:] = 204
    assert values(image)["contrast"] == pytest.approx(0.4)


def test_colour_is_the_range_of_the_channels():
    image = flat(0)
    image[..., 0] = 102
    assert values(image)["colour"] == pytest.approx(0.4)


def test_clipping_is_the_share_of_pixels_at_an_end_of_the_range():
    image = flat()
    image[:16, :, 1] = 255
    image[16:32, :, 2] = 0
    assert values(image)["clipping"] == pytest.approx(0.5)


def test_a_ramp_is_not_sharp():
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None], 64, axis=0).repeat(3, axis=2)
    assert values(ramp)["sharpness"] == pytest.approx(0, abs=1e-5)


def test_a_checkerboard_is_all_alternation():
    """The Laplacian of a board of amplitude a is 8a everywhere, its alternation 4a."""
    board = flat(100) + 20 * (np.indices((64, 64)).sum(axis=0) % 2)[:, :, None].astype(np.uint8)
    found = values(board)
    assert found["sharpness"] == pytest.approx(4 * 20 / 255, rel=1e-4)
    assert found["checkering"] == pytest.approx(0.5, rel=1e-4)


def test_the_roughest_patch_is_found_wherever_it_lies():
    rng = np.random.default_rng(0)
    image = flat()
    image[40:48, 8:16] = rng.integers(0, 256, (8, 8, 3))
    found = values(image)
    assert found["roughest patch"] > 20 * found["sharpness"]


@pytest.mark.parametrize("side", [np.s_[0, :], np.s_[-1, :], np.s_[:, 0], np.s_[:, -1]])
def test_a_seam_on_any_side_shows_in_border(side):
    image = np.random.default_rng(0).integers(120, 130, (64, 64, 3), dtype=np.uint8)
    before = values(image)["border"]
    image[side] = 255
    assert values(image)["border"] > 5 * before


def test_each_picture_is_measured_alone():
    images = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    np.testing.assert_allclose(measure(images)[3], measure(images[3:4])[0], rtol=1e-6)
