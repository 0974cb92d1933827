"""What follows a convolution (scale, noise, bias, leaky ReLU) in one go, differentiable to any order.

N images, C channels, H x W pixels. Only the result (and, where it is scaled, the input) is kept for the
gradient, where four operators on their own would keep and write four maps.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.models.stylegan2 import ops

SLOPE = 0.2


def activate(
    x_NCHW: Tensor, bias_C: Tensor, scale_NC: Tensor | None = None, noise_N1HW: Tensor | None = None
) -> Tensor:
    """Leaky ReLU of x * scale + noise + bias, in x's type."""
    kind = x_NCHW.dtype
    scale = None if scale_NC is None else ops.per_map(scale_NC).to(kind)
    noise = None if noise_N1HW is None else noise_N1HW.to(kind)
    return ops.run(_Activation, x_NCHW, scale, noise, ops.per_map(bias_C[None]).to(kind))


class _Activation(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor | None, noise: Tensor | None, bias: Tensor) -> Tensor:
        y = x + bias if scale is None else torch.addcmul(bias, x, scale)
        if noise is not None:
            y += noise
        y = F.leaky_relu_(y, SLOPE)
        ctx.save_for_backward(None if scale is None else x, scale, y)
        ctx.noise_shape = None if noise is None else noise.shape
        return y

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        x, scale, y = ctx.saved_tensors
        _, for_scale, for_noise, for_bias = ctx.needs_input_grad
        g = _Slopes.apply(gy, y)
        gx = g if scale is None else g * scale
        gscale = (g * x).sum(dim=(2, 3), keepdim=True) if for_scale else None
        gnoise = g.sum(dim=1, keepdim=True).sum_to_size(ctx.noise_shape) if for_noise else None
        gbias = g.sum(dim=(0, 2, 3), keepdim=True) if for_bias else None
        return gx, gscale, gnoise, gbias


class _Slopes(torch.autograd.Function):
    """The leaky ReLU's derivative at result y, applied to g: linear in g, constant in y."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return torch.ops.aten.leaky_relu_backward(g, y, SLOPE, True)

    @staticmethod
    def backward(ctx: Any, gg: Tensor) -> tuple[Tensor, None]:
        return _Slopes.apply(gg, ctx.saved_tensors[0]), None
