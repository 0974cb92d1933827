"""The fused activation against its four parts, and against finite differences."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from anonderm.models.stylegan2.ops import activate


def _randn(*shape: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=random, dtype=torch.float64).requires_grad_()


def test_it_equals_scaling_noise_bias_and_rectifier_one_by_one() -> None:
    x, bias, scale, noise = _randn(2, 3, 4, 5), _randn(3), _randn(2, 3), _randn(2, 1, 4, 5)
    plain = F.leaky_relu(x * scale[:, :, None, None] + noise + bias[:, None, None], 0.2)
    assert torch.allclose(activate(x, bias, scale, noise), plain)
    assert torch.allclose(activate(x, bias), F.leaky_relu(x + bias[:, None, None], 0.2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_keeps_type_and_memory_layout(dtype: torch.dtype) -> None:
    x = _randn(2, 3, 4, 4).detach().to(dtype).contiguous(memory_format=torch.channels_last)
    y = activate(x, torch.zeros(3), torch.ones(2, 3), torch.zeros(1, 1, 4, 4))
    assert y.dtype == dtype
    assert y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("maps", [1, 2])
def test_it_is_twice_differentiable_in_everything(maps: int) -> None:
    inputs = (_randn(2, 2, 2, 3), _randn(2, seed=1), _randn(2, 2, seed=2), _randn(maps, 1, 2, 3, seed=3))
    assert gradcheck(activate, inputs)
    assert gradgradcheck(activate, inputs)
    assert gradcheck(activate, inputs[:2])
    assert gradgradcheck(activate, inputs[:2])
