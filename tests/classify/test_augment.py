from __future__ import annotations

import dataclasses
import math

import torch

from anonderm.classify.augment import augment, move
from anonderm.classify.config import TrainClassifierConfig

STILL = TrainClassifierConfig(flip=False, brightness=(1.0, 1.0), rotation=0.0)


def faces(count: int = 64) -> torch.Tensor:
    return torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(1))


def test_without_augmentation_nothing_changes():
    pixels = faces()
    torch.testing.assert_close(augment(pixels, STILL, torch.Generator()), pixels, atol=1e-5, rtol=0)


def test_moves_are_mirrors_and_quarter_turns():
    pixels = faces(2)
    still, mirrored = torch.ones(2), -torch.ones(2)
    quarter = torch.full((2,), math.pi / 2)
    torch.testing.assert_close(move(pixels, 0 * still, mirrored), pixels.flip(3), atol=1e-4, rtol=0)
    turned = move(pixels, quarter, still)
    torch.testing.assert_close(turned, pixels.rot90(1, (2, 3)), atol=1e-4, rtol=0)


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
