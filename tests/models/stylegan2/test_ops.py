"""Every operator against a slow plain version; first and second derivatives against finite differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from anonderm.models.stylegan2 import ops


def _randn(*shape: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=random, dtype=torch.float64).requires_grad_()


def _plain_filter(x: Tensor, up: int, down: int, before: int, after: int, gain: float) -> Tensor:
    """Insert zeros, pad, filter and decimate, by the book."""
    n, c, h, w = x.shape
    spread = x.new_zeros(n, c, h * up, w * up)
    spread[:, :, ::up, ::up] = x
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 8
    kernel = torch.outer(taps, taps)[None, None].repeat(c, 1, 1, 1) * gain
    return F.conv2d(F.pad(spread, (before, after, before, after)), kernel, groups=c)[:, :, ::down, ::down]


def test_upsampling_doubles_the_size_and_keeps_a_constant() -> None:
    inside = ops.upsample(torch.ones(1, 2, 4, 4))[:, :, 1:-1, 1:-1]
    assert torch.allclose(inside, torch.ones(1, 2, 6, 6))


def test_resampling_equals_the_plain_filter() -> None:
    x = _randn(2, 3, 6, 6)
    assert torch.allclose(ops.upsample(x), _plain_filter(x, 2, 1, 2, 1, 4))
    assert torch.allclose(ops.downsample(x), _plain_filter(x, 1, 2, 1, 1, 1))


def test_growing_convolution_equals_zero_insertion_convolution_and_filter() -> None:
    x, weight = _randn(2, 3, 4, 4), _randn(3, 5, 3, 3, seed=1)
    spread = x.new_zeros(2, 3, 7, 7)
    spread[:, :, ::2, ::2] = x
    plain = F.conv2d(F.pad(spread, (2, 2, 2, 2)), weight.transpose(0, 1).flip(2, 3))
    assert torch.allclose(ops.convolve_up(x, weight), _plain_filter(plain, 1, 1, 1, 1, 4))


def test_halving_convolution_equals_filter_then_strided_convolution() -> None:
    x, weight = _randn(2, 3, 8, 8), _randn(5, 3, 3, 3, seed=1)
    plain = F.conv2d(_plain_filter(x, 1, 1, 2, 2, 1), weight, stride=2)
    assert torch.allclose(ops.convolve_down(x, weight), plain)


def test_scaling_activations_equals_convolving_with_modulated_weights_of_each_image() -> None:
    x, weight, style = _randn(3, 4, 5, 5), _randn(6, 4, 3, 3, seed=1), _randn(3, 4, seed=2)
    scale = ops.demodulation(weight.square().sum(dim=(2, 3)), style)
    fast = ops.convolve(x * ops.per_map(style), weight) * ops.per_map(scale)
    for image in range(3):
        modulated = weight * style[image, None, :, None, None]
        modulated = modulated * torch.rsqrt(modulated.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        plain = F.conv2d(x[image : image + 1], modulated, padding=1)
        assert torch.allclose(fast[image : image + 1], plain)


def test_wide_strided_layers_get_the_weight_gradient_of_the_plain_convolution() -> None:
    x, weight = _randn(2, 128, 9, 9).float().detach(), (_randn(160, 128, 3, 3, seed=1) / 30).float().detach()
    found, expected = (weight.clone().requires_grad_() for _ in range(2))
    ops.convolve_down(x, found).square().sum().backward()
    low_pass = _plain_filter(x, 1, 1, 2, 2, 1)
    F.conv2d(low_pass, expected, stride=2).square().sum().backward()
    assert found.grad is not None
    assert expected.grad is not None
    assert (found.grad - expected.grad).norm() < 1e-5 * expected.grad.norm()


@pytest.mark.parametrize("operator", [ops.upsample, ops.downsample])
def test_resampling_is_twice_differentiable(operator) -> None:  # type: ignore[no-untyped-def]
    x = _randn(1, 2, 4, 4)
    assert gradcheck(operator, (x,))
    assert gradgradcheck(operator, (x,))


@pytest.mark.parametrize(
    ("operator", "shape", "side"),
    [
        (ops.convolve, (2, 2, 4, 4), 3),
        (ops.convolve, (2, 2, 3, 3), 1),
        (ops.convolve_down, (1, 2, 4, 4), 3),
        (ops.convolve_up, (1, 2, 3, 3), 3),
    ],
)
def test_convolution_is_twice_differentiable(operator, shape, side) -> None:  # type: ignore[no-untyped-def]
    x, weight = _randn(*shape), _randn(2, 2, side, side, seed=1)
    assert gradcheck(operator, (x, weight))
    assert gradgradcheck(operator, (x, weight))


def test_second_order_gradients_in_float32_follow_float64_at_a_real_size() -> None:
    """Some CPU kernels are silently wrong where a gradient's convolution has a large kernel."""

    def penalty_gradient(dtype: torch.dtype) -> Tensor:
        x = _randn(4, 16, 32, 32).detach().to(dtype).contiguous(memory_format=torch.channels_last)
        first = (_randn(16, 16, 3, 3, seed=1).detach() / 12).to(dtype).requires_grad_()
        second = (_randn(16, 16, 3, 3, seed=2).detach() / 12).to(dtype).requires_grad_()
        x.requires_grad_()
        y = ops.convolve_down(F.leaky_relu(ops.convolve(x, first), 0.2), second)
        (gradient,) = torch.autograd.grad(F.softplus(y).sum(), x, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), first)[0].double()

    exact = penalty_gradient(torch.float64)
    error = (penalty_gradient(torch.float32) - exact).norm() / exact.norm()
    assert exact.norm() > 0
    assert error < 1e-4
