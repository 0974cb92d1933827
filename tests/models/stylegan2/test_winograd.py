"""Winograd's convolutions against plain ones: values, first and second derivatives, rounding errors."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from anonderm.models.stylegan2 import ops, winograd
from anonderm.models.stylegan2.winograd import Algorithm, toom_cook

_BOTH = pytest.mark.parametrize("results", [4, 8])


def _randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=random, dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last)


def _all_three(x: Tensor, weight: Tensor, y: Tensor, algorithm: Algorithm) -> list[Tensor]:
    """The convolution of x, the adjoint of y, and the gradient of the weight."""
    return [
        winograd.convolution(x, weight, algorithm),
        winograd.adjoint(y, weight, algorithm),
        winograd.weight_gradient(x, y, algorithm),
    ]


def _all_three_plain(x: Tensor, weight: Tensor, y: Tensor) -> list[Tensor]:
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    found = F.conv2d(x, weight, padding=1)
    return [found.detach(), *torch.autograd.grad(found, (x, weight), y)]


def _case(results: int) -> tuple[Tensor, Tensor, Tensor]:
    size = (2 * results, 3 * results)
    return _randn(3, 2, *size), _randn(5, 2, 3, 3, seed=1), _randn(3, 5, *size, seed=2)


@_BOTH
def test_convolution_and_its_two_transposes_equal_the_plain_ones(results: int) -> None:
    expected = _all_three_plain(*_case(results))
    found = _all_three(*_case(results), toom_cook(results))
    assert all(torch.allclose(*pair) for pair in zip(found, expected, strict=True))


@_BOTH
def test_any_memory_layout_gives_the_same(results: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = _all_three_plain(*_case(results))
    monkeypatch.setattr(winograd, "_CHUNK", 1)  # image by image
    factors = (tensor.contiguous() for tensor in _case(results))
    for found, right in zip(_all_three(*factors, toom_cook(results)), expected, strict=True):
        assert torch.allclose(found, right)
        assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("results", "limit"), [(4, 2e-6), (8, 4e-5)])
def test_in_float32_it_is_far_more_exact_than_half_precision(results: int, limit: float) -> None:
    """Half precision has 5e-4, TensorFloat-32 3e-4, the direct sum 5e-7."""
    x, weight, y = _randn(2, 128, 16, 16), _randn(128, 128, 3, 3, seed=1), _randn(2, 128, 16, 16, seed=2)
    exact = _all_three_plain(x, weight, y)
    single = _all_three(x.float(), weight.float(), y.float(), toom_cook(results))
    for found, right in zip(single, exact, strict=True):
        assert (found.double() - right).norm() < limit * right.norm()


def test_it_is_chosen_for_wide_float32_layers_on_the_cpu_only() -> None:
    x, weight = _randn(16, 128, 16, 16, dtype=torch.float32), _randn(128, 128, 3, 3, dtype=torch.float32)
    assert winograd.choose(x, weight)
    assert winograd.choose(x, weight[:48], weights=True)
    assert not winograd.choose(x, weight[:48])
    assert not winograd.choose(x[:, :, :, :14], weight)
    assert not winograd.choose(x[:1, :, :8, :8], weight)
    assert not winograd.choose(x.bfloat16(), weight)
    assert not winograd.choose(x.to("meta"), weight)
    assert not winograd.choose(x, weight[:, :, :1, :1])


def test_large_tiles_are_for_many_pixels() -> None:
    weight = _randn(128, 128, 3, 3, dtype=torch.float32)
    few, many = (_randn(2, 128, size, size, dtype=torch.float32) for size in (16, 64))
    assert winograd.choose(few, weight) is toom_cook(4)
    assert winograd.choose(many, weight) is toom_cook(8)


@_BOTH
def test_layers_that_use_it_are_twice_differentiable(results: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = _randn(1, 2, 8, 8).requires_grad_(), _randn(3, 2, 3, 3, seed=1).requires_grad_()
    plain = ops.convolve(x, weight)
    monkeypatch.setattr(winograd, "choose", lambda *_, **__: toom_cook(results))
    assert torch.allclose(ops.convolve(x, weight), plain)
    assert gradcheck(ops.convolve, (x, weight), fast_mode=True)
    assert gradgradcheck(ops.convolve, (x, weight), fast_mode=True)


def test_second_order_gradients_in_float32_follow_float64_at_real_sizes() -> None:
    """As R1 computes them, through layers that are wide enough for both sizes of tiles."""

    def penalty_gradients(dtype: torch.dtype) -> list[Tensor]:
        x = _randn(2, 128, 64, 64).to(dtype).requires_grad_()
        weights = [(_randn(128, 128, 3, 3, seed=seed) / 34).to(dtype) for seed in range(3)]
        large, half, small = (weight.requires_grad_() for weight in weights)
        y = ops.convolve_down(F.leaky_relu(ops.convolve(x, large), 0.2), half)
        y = ops.convolve(F.leaky_relu(y, 0.2), small)
        (gradient,) = torch.autograd.grad(F.softplus(y).sum(), x, create_graph=True)
        return [g.double() for g in torch.autograd.grad(gradient.square().sum(), weights)]

    pairs = zip(penalty_gradients(torch.float32), penalty_gradients(torch.float64), strict=True)
    for found, exact in pairs:
        assert exact.norm() > 0
        assert (found - exact).norm() < 5e-4 * exact.norm()
