"""Losses against closed forms and finite differences."""

from __future__ import annotations

import math

import pytest
import torch

from anonderm.gan import losses
from anonderm.gan.config import PRESETS, architecture
from anonderm.models.stylegan2.discriminator import new_discriminator
from anonderm.models.stylegan2.generator import new_generator

TINY = architecture(PRESETS["tiny"], 16, ())


def _random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_undecided_discriminator_costs_both_players_log_two() -> None:
    logit = torch.zeros(5)
    for loss in (losses.generator_loss, losses.real_loss, losses.fake_loss):
        assert float(loss(logit)) == pytest.approx(math.log(2))


def test_r1_of_a_linear_discriminator_is_its_squared_weight() -> None:
    weight = torch.randn(3, 4, 4, generator=_random())
    images = torch.randn(5, 3, 4, 4, generator=_random(1)).requires_grad_()
    penalty = losses.r1_penalty((images * weight).sum(dim=(1, 2, 3)), images)
    assert float(penalty) == pytest.approx(float(weight.square().sum()), rel=1e-5)


def test_r1_gradient_of_the_real_discriminator_follows_finite_differences() -> None:
    discriminator = new_discriminator(TINY, _random()).double()
    images = torch.randn(4, 3, 16, 16, generator=_random(1), dtype=torch.float64).requires_grad_()

    def penalty() -> torch.Tensor:
        return losses.r1_penalty(discriminator(images), images)

    parameters = [p for name, p in discriminator.named_parameters() if name.endswith("weight")]
    gradients = torch.autograd.grad(penalty(), parameters)
    length = torch.stack([gradient.square().sum() for gradient in gradients]).sum().sqrt()
    assert float(length) > 0
    step = 1e-5 / length
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.add_(gradient * step)
    above = penalty().detach()
    with torch.no_grad():
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.sub_(gradient * step * 2)
    below = penalty().detach()
    assert float((above - below) / (2 * 1e-5)) == pytest.approx(float(length), rel=1e-3)


def test_path_length_of_a_linear_generator_is_the_length_of_its_transposed_jacobian() -> None:
    w = torch.randn(6, 1, 8, generator=_random()).requires_grad_()
    jacobian = torch.randn(8, 3 * 4 * 4, generator=_random(1))
    images = (w[:, 0] @ jacobian).reshape(6, 3, 4, 4)
    y = torch.randn(6, 3, 4, 4, generator=_random(2))
    lengths = losses.path_lengths(images, w, y)
    assert torch.allclose(lengths, (y.flatten(1) / 4 @ jacobian.T).norm(dim=1), rtol=1e-4)


def test_path_length_penalty_reaches_every_weight_that_shapes_the_image() -> None:
    generator = new_generator(TINY, _random())
    w = generator.mapping(torch.randn(2, TINY.z_dim, generator=_random()))
    w = w[:, None].expand(-1, generator.style_layers, -1)
    images = generator.synthesise(w, None)
    lengths = losses.path_lengths(images, w, torch.randn(images.shape, generator=_random()))
    lengths.square().mean().backward()
    silent = [n for n, p in generator.named_parameters() if p.grad is None or not p.grad.any()]
    # A bias of the last layers and the strength of absent noise do not move the Jacobian.
    assert not [name for name in silent if name.endswith("weight") and "mapping" not in name]
