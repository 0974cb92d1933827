"""Augmentation: identity at p = 0, statistics at p = 1, derivatives, and the steering of p."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from anonderm.gan import augment as module
from anonderm.gan.augment import AugmentProbability, augment


def _random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=_random(1)) * 2 - 1


def test_p_zero_returns_the_images_themselves() -> None:
    images = _noise(4, 3, 16, 16)
    assert augment(images, 0.0, _random()) is images


def test_untouched_images_come_through_unchanged() -> None:
    images = _noise(4, 3, 16, 16)
    assert torch.allclose(augment(images, 1e-9, _random()), images, atol=1e-4)


def test_a_larger_p_touches_more_images() -> None:
    images = _noise(400, 3, 8, 8)

    def touched(p: float) -> float:
        change = (augment(images, p, _random()) - images).abs().amax(dim=(1, 2, 3))
        return float((change > 1e-3).float().mean())

    assert 0.02 < touched(0.01) < 0.2
    assert touched(0.01) < touched(0.1) < touched(0.5)


def test_the_same_generator_state_gives_the_same_images() -> None:
    images = _noise(4, 3, 16, 16)
    assert torch.equal(augment(images, 0.8, _random(5)), augment(images, 0.8, _random(5)))
    assert not torch.equal(augment(images, 0.8, _random(5)), augment(images, 0.8, _random(6)))


def test_geometry_alone_keeps_the_average_colour_of_a_plain_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_colour", lambda draw: torch.eye(4).repeat(draw.count, 1, 1))
    images = torch.tensor([0.5, -0.25, 0.1]).reshape(1, 3, 1, 1).expand(16, 3, 16, 16).contiguous()
    assert torch.allclose(augment(images, 1.0, _random()), images, atol=1e-4)


def test_colour_keeps_a_black_and_white_image_grey_and_brightness_has_mean_zero() -> None:
    """Luma flip, hue and saturation leave the grey axis on itself; contrast and flip leave 0 at 0."""
    grey = torch.zeros(4000, 3, 2, 2)
    result = augment(grey, 1.0, _random())
    assert torch.allclose(result[:, 0], result[:, 1], atol=1e-5)
    assert torch.allclose(result[:, 0], result[:, 2], atol=1e-5)
    # Brightness N(0, 0.2), then contrast 2^N(0, 0.5): the mean square is 0.2^2 * exp(2 * (0.5 ln 2)^2).
    levels = result[:, 0, 0, 0]
    expected = 0.2 * math.exp((0.5 * math.log(2)) ** 2)
    assert abs(float(levels.mean())) < 0.02
    assert float(levels.square().mean().sqrt()) == pytest.approx(expected, rel=0.1)


def test_a_quarter_turn_moves_pixels_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_colour", lambda draw: torch.eye(4).repeat(draw.count, 1, 1))
    monkeypatch.setattr(
        module, "_geometry", lambda draw, size: module._rotation(torch.full((2,), math.pi / 2))
    )
    images = _noise(2, 3, 8, 8)
    turned = augment(images, 0.5, _random())
    assert torch.allclose(turned, images.rot90(1, (2, 3)), atol=1e-5)


def test_hue_rotation_keeps_luma_and_length() -> None:
    matrix = module._hue_rotation(torch.tensor([0.7, -2.0]))[:, :3, :3]
    assert torch.allclose(matrix @ matrix.transpose(1, 2), torch.eye(3).expand(2, 3, 3), atol=1e-6)
    assert torch.allclose(matrix @ torch.ones(3), torch.ones(2, 3), atol=1e-6)


def test_augmentation_is_twice_differentiable() -> None:
    grid = (torch.rand(1, 4, 4, 2, generator=_random(), dtype=torch.float64) * 2.4 - 1.2).requires_grad_(
        False
    )
    images = torch.rand(1, 2, 4, 4, generator=_random(), dtype=torch.float64).requires_grad_()

    def look_up(x: Tensor) -> Tensor:
        return module._LookUp.apply(x, grid).tanh()

    assert gradcheck(look_up, (images,))
    assert gradgradcheck(look_up, (images,))


def test_p_rises_while_d_recognises_its_training_images_and_falls_when_it_does_not() -> None:
    state = AugmentProbability()
    state.steer(sign=0.9, target=0.6, step=0.1)
    assert state.p == pytest.approx(0.1)
    state.steer(sign=0.2, target=0.6, step=0.3)
    assert state.p == 0.0
    for _ in range(20):
        state.steer(sign=1.0, target=0.6, step=0.1)
    assert state.p == 1.0
