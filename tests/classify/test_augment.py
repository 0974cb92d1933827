from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from anonderm.classify.augment import augment, move
from anonderm.classify.config import TrainClassifierConfig

STILL = TrainClassifierConfig(flip=False, brightness=(1.0, 1.0), rotation=0.0)


def faces(count: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_without_augmentation_nothing_changes():
    pixels = faces()
    torch.testing.assert_close(augment(pixels, STILL, torch.Generator()), pixels, atol=1e-5, rtol=0)


def moved(pixels: torch.Tensor, turn=0.0, sign=1.0, shift=(0.0, 0.0), scale=1.0) -> torch.Tensor:
    count = len(pixels)
    return move(
        pixels,
        torch.full((count,), turn),
        torch.full((count,), sign),
        torch.tensor([shift] * count),
        torch.full((count,), scale),
    )


def test_moves_are_mirrors_and_quarter_turns():
    pixels = faces(2)
    torch.testing.assert_close(moved(pixels, sign=-1.0), pixels.flip(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(moved(pixels, math.pi / 2), pixels.rot90(1, (2, 3)), atol=1e-4, rtol=0)


def test_a_shift_goes_right_and_down_by_shares_of_the_side():
    pixels = faces(2)
    shifted = moved(pixels, shift=(0.25, 0.125))
    torch.testing.assert_close(shifted[:, :, 2:, 4:], pixels[:, :, :-2, :-4], atol=1e-4, rtol=0)
    turned = moved(pixels, math.pi / 2, shift=(0.25, 0.0))
    torch.testing.assert_close(turned[..., 4:], pixels.rot90(1, (2, 3))[..., :-4], atol=1e-4, rtol=0)


def test_zoom_enlarges_about_the_centre():
    square = torch.zeros(1, 1, 16, 16)
    square[..., 6:10, 6:10] = 1
    assert moved(square, scale=2.0).sum() == pytest.approx(64, abs=1)
    assert moved(square, scale=0.5)[..., 4:12, 4:12].sum() == pytest.approx(4, abs=1)


def test_translation_and_zoom_stay_in_their_ranges():
    square = torch.zeros(300, 1, 32, 32)
    square[..., 12:20, 12:20] = 1
    columns = torch.arange(32.0) - 15.5
    draws = torch.Generator().manual_seed(4)
    across = augment(square, dataclasses.replace(STILL, translation=0.2), draws)
    centres = (across.sum(2) * columns).sum((1, 2)) / across.sum((1, 2, 3))
    assert -6.5 < centres.min() < -5.5
    assert 5.5 < centres.max() < 6.5
    areas = augment(square, dataclasses.replace(STILL, zoom=0.5), draws).sum((1, 2, 3)) / 64
    assert 1 / 1.5**2 - 0.05 < areas.min() < 0.55
    assert 2.0 < areas.max() < 1.5**2 + 0.05


def test_half_of_the_faces_are_mirrored():
    pixels = faces(400)
    moved = augment(pixels, dataclasses.replace(STILL, flip=True), torch.Generator().manual_seed(2))
    mirrored = (moved - pixels.flip(3)).abs().amax((1, 2, 3)) < 1e-3
    still = (moved - pixels).abs().amax((1, 2, 3)) < 1e-3
    assert (mirrored ^ still).all()
    assert 150 < mirrored.sum() < 250


def test_brightness_stays_in_its_range_and_in_0_to_1():
    pixels = torch.full((300, 3, 8, 8), 0.5)
    moved = augment(
        pixels, dataclasses.replace(STILL, brightness=(0.6, 1.0)), torch.Generator().manual_seed(3)
    )
    factors = moved[:, 0, 4, 4] / 0.5
    assert 0.6 <= factors.min() < 0.65
    assert 0.95 < factors.max() <= 1.0 + 1e-6
    bright = augment(pixels, dataclasses.replace(STILL, brightness=(3.0, 3.0)), torch.Generator())
    assert bright.max() <= 1


def test_the_same_generator_gives_the_same_faces():
    config = TrainClassifierConfig()
    first, again = (augment(faces(), config, torch.Generator().manual_seed(7)) for _ in range(2))
    other = augment(faces(), config, torch.Generator().manual_seed(8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
