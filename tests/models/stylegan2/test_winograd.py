"""Minimal filtering against the plain convolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.models.stylegan2 import toom_cook, winograd
from anonderm.models.stylegan2.toom_cook import Algorithm

_PLAIN = [toom_cook.plain(4), toom_cook.plain(8)]
_ALL = [*_PLAIN, toom_cook.halving(1.0), toom_cook.halving(2.0)]
_NAMES = ["small", "large", "halving", "doubling"]


def _randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=random, dtype=dtype)
    return x.contiguous(memory_format=torch.channels_last)


def _directly(x: Tensor, weight: Tensor, algorithm: Algorithm) -> Tensor:
    if algorithm.step == algorithm.results:
        return F.conv2d(x, weight, padding=1)
    taps = torch.tensor([1, 3, 3, 1], dtype=x.dtype) / 8 * (2 if algorithm is _ALL[3] else 1)
    low_pass = torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(F.conv2d(x, low_pass, padding=2, groups=x.shape[1]), weight, stride=2)


def _all_three(x: Tensor, weight: Tensor, y: Tensor, algorithm: Algorithm) -> list[Tensor]:
    """The convolution of x, the adjoint of y, and the weight's gradient."""
    x_, y_ = winograd.data(x, algorithm), winograd.pixels(y, algorithm)
    weight_ = winograd.kernel(weight, algorithm)
    (n, _, h, w), (_, _, rows, columns) = x.shape, y.shape
    return [
        winograd.convolution(x_, weight_, (n, rows, columns), algorithm),
        winograd.adjoint(y_, weight_, (n, h, w), algorithm),
        winograd.weight_gradient(x_, y_, algorithm),
    ]


def _all_three_directly(x: Tensor, weight: Tensor, y: Tensor, algorithm: Algorithm) -> list[Tensor]:
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    found = _directly(x, weight, algorithm)
    return [found.detach(), *torch.autograd.grad(found, (x, weight), y)]


def _case(algorithm: Algorithm) -> tuple[Tensor, Tensor, Tensor]:
    rows, columns = 2 * algorithm.results, 3 * algorithm.results
    x = _randn(3, 2, 2 * algorithm.step, 3 * algorithm.step)
    return x, _randn(5, 2, 3, 3, seed=1), _randn(3, 5, rows, columns, seed=2)


@pytest.mark.parametrize("algorithm", _ALL, ids=_NAMES)
def test_convolution_and_its_two_transposes_equal_the_plain_ones(algorithm: Algorithm) -> None:
    x, weight, y = _case(algorithm)
    expected = _all_three_directly(x, weight, y, algorithm)
    for found, right in zip(_all_three(x, weight, y, algorithm), expected, strict=True):
        assert torch.allclose(found, right)


@pytest.mark.parametrize("algorithm", _ALL, ids=_NAMES)
def test_any_memory_layout_gives_the_same(algorithm: Algorithm, monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight, y = _case(algorithm)
    expected = _all_three_directly(x, weight, y, algorithm)
    monkeypatch.setattr(winograd, "_AT_A_TIME", 1)  # image by image
    factors = (tensor.contiguous() for tensor in (x, weight, y))
    for found, right in zip(_all_three(*factors, algorithm), expected, strict=True):
        assert torch.allclose(found, right)
        assert found.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("algorithm", "limit"), [(_ALL[0], 2e-6), (_ALL[1], 4e-5), (_ALL[2], 2e-6)], ids=_NAMES[:3]
)
def test_in_float32_it_is_far_more_exact_than_half_precision(algorithm: Algorithm, limit: float) -> None:
    """Half precision has 5e-4, TensorFloat-32 3e-4, the direct sum 5e-7."""
    x, weight = _randn(2, 128, 16, 16), _randn(128, 128, 3, 3, seed=1)
    y = _randn(2, 128, 16 * algorithm.results // algorithm.step, 16 * algorithm.results // algorithm.step)
    exact = _all_three_directly(x, weight, y, algorithm)
    single = _all_three(x.float(), weight.float(), y.float(), algorithm)
    for found, right in zip(single, exact, strict=True):
        assert (found.double() - right).norm() < limit * right.norm()


def test_it_serves_wide_float32_layers_on_the_cpu_and_nothing_else() -> None:
    x, weight = _randn(16, 128, 16, 16, dtype=torch.float32), _randn(128, 128, 3, 3, dtype=torch.float32)
    for choose in (winograd.plain, winograd.doubling, winograd.halving):
        assert choose(x, weight)
        assert not choose(x, weight[:48])
        assert not choose(x[:, :, :, :14], weight)
        assert not choose(x[:1, :, :8, :8], weight)
        assert not choose(x.bfloat16(), weight)
        assert not choose(x.to("meta"), weight)
        assert not choose(x, weight[:, :, :1, :1])
    assert winograd.plain(x, weight[:48], weights=True)


def test_large_tiles_are_for_many_pixels() -> None:
    weight = _randn(128, 128, 3, 3, dtype=torch.float32)
    assert winograd.plain(_randn(2, 128, 16, 16, dtype=torch.float32), weight) is toom_cook.plain(4)
    assert winograd.plain(_randn(2, 128, 64, 64, dtype=torch.float32), weight) is toom_cook.plain(8)
