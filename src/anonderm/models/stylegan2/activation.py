"""Scale, noise, bias and leaky ReLU after a convolution in one function, differentiable to any order.

N images, C channels, H x W pixels. Only the result (and, if scaled, the input) is stored for the gradient,
where four separate operators would store four maps.
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
    """Leaky ReLU of x * scale + noise + bias, in the type of x."""
    dtype = x_NCHW.dtype
    scale = None if scale_NC is None else ops.per_map(scale_NC).to(dtype)
    noise = None if noise_N1HW is None else noise_N1HW.to(dtype)
    return ops.run(_Activation, x_NCHW, scale, noise, ops.per_map(bias_C[None]).to(dtype))


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
    """The derivative of the leaky ReLU at result y, applied to g: linear in g, constant in y."""

    @staticmethod
    def forward(ctx: Any, g: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(y)
        return torch.ops.aten.leaky_relu_backward(g, y, SLOPE, True)

    @staticmethod
    def backward(ctx: Any, gg: Tensor) -> tuple[Tensor, None]:
        return _Slopes.apply(gg, ctx.saved_tensors[0]), None
