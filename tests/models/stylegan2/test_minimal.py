"""Layers by minimal filtering: the same function as without, and its derivatives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from anonderm.models.stylegan2 import minimal, ops, toom_cook

_CASES = {
    "small": (toom_cook.plain(4), minimal.Convolution, ops.convolve, (1, 2, 4, 8), (3, 2, 3, 3)),
    "large": (toom_cook.plain(8), minimal.Convolution, ops.convolve, (1, 2, 8, 8), (3, 2, 3, 3)),
    "halving": (toom_cook.halving(1.0), minimal.Convolution, ops.convolve_down, (1, 2, 8, 8), (3, 2, 3, 3)),
    "doubling": (toom_cook.halving(2.0), minimal.Adjoint, ops.convolve_up, (1, 2, 4, 4), (2, 3, 3, 3)),
}


def _randn(*shape: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=random, dtype=torch.float64)
    return x.contiguous(memory_format=torch.channels_last).requires_grad_()


def _case(name: str) -> tuple[Callable[..., Tensor], Callable[..., Tensor], Tensor, Tensor]:
    algorithm, function, plain, x_shape, weight_shape = _CASES[name]

    def fast(x: Tensor, weight: Tensor) -> Tensor:
        return function.apply(x, weight, algorithm)

    return fast, plain, _randn(*x_shape), _randn(*weight_shape, seed=1)


@pytest.mark.parametrize("name", _CASES)
def test_it_is_the_layer_that_it_stands_for(name: str) -> None:
    fast, plain, x, weight = _case(name)
    assert torch.allclose(fast(x, weight), plain(x, weight))


@pytest.mark.parametrize("name", _CASES)
def test_it_is_twice_differentiable(name: str) -> None:
    fast, _, x, weight = _case(name)
    assert gradcheck(fast, (x, weight), fast_mode=True)
    assert gradgradcheck(fast, (x, weight), fast_mode=True)


@pytest.mark.parametrize("name", _CASES)
@pytest.mark.parametrize("wanted", ["x", "weight"])
def test_a_gradient_does_not_depend_on_whether_the_other_is_wanted(name: str, wanted: str) -> None:
    fast, plain, x, weight = _case(name)
    (weight if wanted == "x" else x).requires_grad_(False)
    asked = x if wanted == "x" else weight
    gradients = (torch.autograd.grad(layer(x, weight).square().sum(), asked)[0] for layer in (fast, plain))
    assert torch.allclose(*gradients)


def test_second_order_gradients_in_float32_follow_float64_at_real_sizes() -> None:
    """As R1 takes them, through layers that are wide enough for all three algorithms."""

    def penalty_gradients(dtype: torch.dtype) -> list[Tensor]:
        x = _randn(2, 128, 64, 64).detach().to(dtype).requires_grad_()
        weights = [(_randn(128, 128, 3, 3, seed=seed).detach() / 34).to(dtype) for seed in range(3)]
        large, half, small = (weight.requires_grad_() for weight in weights)
        y = ops.convolve_down(F.leaky_relu(ops.convolve(x, large), 0.2), half)
        y = ops.convolve(F.leaky_relu(y, 0.2), small)
        (gradient,) = torch.autograd.grad(F.softplus(y).sum(), x, create_graph=True)
        return [g.double() for g in torch.autograd.grad(gradient.square().sum(), weights)]

    pairs = zip(penalty_gradients(torch.float32), penalty_gradients(torch.float64), strict=True)
    for found, exact in pairs:
        assert exact.norm() > 0
        assert (found - exact).norm() < 5e-4 * exact.norm()
