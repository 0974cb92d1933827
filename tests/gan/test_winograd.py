"""Minimal filtering against the plain convolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from anonderm.gan import ops, winograd


def _randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=random, dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last)


def _plain_weight_gradient(x: Tensor, y: Tensor, weight: Tensor) -> Tensor:
    weight = weight.clone().requires_grad_()
    return torch.autograd.grad((F.conv2d(x, weight, padding=1) * y).sum(), weight)[0]


def test_convolution_and_its_two_transposes_equal_the_plain_ones() -> None:
    x, y, weight = _randn(2, 3, 8, 12), _randn(2, 5, 8, 12, seed=1), _randn(5, 3, 3, 3, seed=2)
    assert torch.allclose(winograd.convolution(x, weight), F.conv2d(x, weight, padding=1))
    assert torch.allclose(winograd.adjoint(y, weight), F.conv_transpose2d(y, weight, padding=1))
    assert torch.allclose(winograd.weight_gradient(x, y), _plain_weight_gradient(x, y, weight))


def test_any_memory_layout_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, weight = _randn(3, 3, 8, 8), _randn(3, 5, 8, 8, seed=1), _randn(5, 3, 3, 3, seed=2)
    expected = [F.conv2d(x, weight, padding=1), _plain_weight_gradient(x, y, weight)]
    monkeypatch.setattr(winograd, "_WORKSPACE", 1)  # image by image
    x, y, weight = (tensor.contiguous() for tensor in (x, y, weight))
    found = [winograd.convolution(x, weight), winograd.weight_gradient(x, y)]
    assert all(torch.allclose(*pair) for pair in zip(found, expected, strict=True))
    assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in found)


def test_in_float32_it_is_about_as_exact_as_the_plain_convolution() -> None:
    x, weight = _randn(2, 128, 16, 16), _randn(128, 128, 3, 3, seed=1)
    exact = F.conv2d(x, weight, padding=1)

    def error(found: Tensor) -> float:
        return float((found.double() - exact).norm() / exact.norm())

    single = x.float(), weight.float()
    assert error(winograd.convolution(*single)) < 3 * error(F.conv2d(*single, padding=1)) + 1e-6


def test_it_serves_wide_float32_layers_on_the_cpu_and_nothing_else() -> None:
    x, weight = _randn(2, 128, 16, 16, dtype=torch.float32), _randn(128, 128, 3, 3, dtype=torch.float32)
    assert winograd.pays(x, weight, 1, 1)
    assert winograd.pays(x, weight[:64], 1, 1, weights=True)
    assert not winograd.pays(x, weight[:64], 1, 1)
    assert not winograd.pays(x.bfloat16(), weight, 1, 1)
    assert not winograd.pays(x.to("meta"), weight, 1, 1)
    assert not winograd.pays(x, weight, 2, 0)
    assert not winograd.pays(x[:, :, :, :14], weight, 1, 1)
    assert not winograd.pays(x, weight[:, :, :1, :1], 1, 0)


def test_layers_that_use_it_are_twice_differentiable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "pays", lambda *_, **__: True)
    x, weight = _randn(1, 1, 4, 4).requires_grad_(), _randn(1, 1, 3, 3, seed=1).requires_grad_()
    assert gradcheck(ops.convolve, (x, weight))
    assert gradgradcheck(ops.convolve, (x, weight))
