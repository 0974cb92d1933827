"""Convolution, resampling, modulation and activation, each differentiable to any order.

N images, C channels (I in, O out), H x W pixels, k the kernel's side.

All maps are in channels_last, the fastest layout for convolutions on CPUs and GPUs. The autograd functions
are for the second-order phases (R1, path length): autograd's own double backward of a convolution uses the
image as a kernel, and that of a depthwise convolution loops over channels. Here, as the functions are
adjoints of each other, first and second derivatives use the same few kernels as the forward pass.
"""

import itertools
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from anonderm.models.stylegan2 import winograd

_TAPS = (1.0, 3.0, 3.0, 1.0)
_WIDE = 128  # channels
SLOPE = 0.2

# Resampling geometry: up factor, down factor, zero padding before and after, gain.
_Geometry = tuple[int, int, int, int, float]


class _Convolution(torch.autograd.Function):
    """y = w * x with zero padding; `transposed`: its adjoint in x, with the same weight."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, stride: int, padding: int, transposed: bool) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.geometry, ctx.transposed = (stride, padding), transposed
        if (stride, padding) == (1, 1) and (algorithm := winograd.choose(x, w)):
            return (winograd.adjoint if transposed else winograd.convolution)(x, w, algorithm)
        return (F.conv_transpose2d if transposed else F.conv2d)(x, w, stride=stride, padding=padding)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        x, w = ctx.saved_tensors
        gx = _Convolution.apply(gy, w, *ctx.geometry, not ctx.transposed) if ctx.needs_input_grad[0] else None
        pair = (gy, x) if ctx.transposed else (x, gy)
        gw = _WeightGradient.apply(*pair, w, *ctx.geometry) if ctx.needs_input_grad[1] else None
        return gx, gw, None, None, None


class _WeightGradient(torch.autograd.Function):
    """d<w * x, y> / dw, bilinear in x and y; of `w` only the shape matters."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.geometry = (stride, padding)
        if (stride, padding) == (1, 1) and (algorithm := winograd.choose(x, w, weights=True)):
            return winograd.weight_gradient(x, y, algorithm)
        if _use_taps(x, w, stride, padding):
            return _by_taps(x, y, w.shape[-1], stride)
        wanted = [False, True, False]
        _, gw, _ = torch.ops.aten.convolution_backward(
            y, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], 1, wanted
        )
        return gw

    @staticmethod
    def backward(ctx: Any, ggw: Tensor) -> tuple[Tensor | None, ...]:
        x, y = ctx.saved_tensors
        gx = _Convolution.apply(y, ggw, *ctx.geometry, True) if ctx.needs_input_grad[0] else None
        gy = _Convolution.apply(x, ggw, *ctx.geometry, False) if ctx.needs_input_grad[1] else None
        return gx, gy, None, None, None


def _use_taps(x: Tensor, w: Tensor, stride: int, padding: int) -> bool:
    """Whether the library's CPU kernel is two to five times as slow: strided, wide, float32."""
    wide = stride > 1 and padding == 0 and min(w.shape[:2]) >= _WIDE
    return wide and x.device.type == "cpu" and x.dtype == torch.float32


def _by_taps(x_NIHW: Tensor, y_NOhw: Tensor, side: int, stride: int) -> Tensor:
    """The weight gradient of a convolution without padding, as one matrix product per kernel position."""
    rows, columns = y_NOhw.shape[2:]
    y_OP = y_NOhw.permute(0, 2, 3, 1).flatten(0, 2).T
    gradient = x_NIHW.new_empty(side, side, y_NOhw.shape[1], x_NIHW.shape[1])
    for top, left in itertools.product(range(side), repeat=2):
        down, right = slice(top, top + stride * rows, stride), slice(left, left + stride * columns, stride)
        part_PI = x_NIHW[:, :, down, right][:, :, :rows, :columns].permute(0, 2, 3, 1).flatten(0, 2)
        torch.mm(y_OP, part_PI, out=gradient[top, left])
    return gradient.permute(2, 3, 0, 1).contiguous(memory_format=torch.channels_last)


class _Resample(torch.autograd.Function):
    """Insert zeros (up), pad, filter with [1, 3, 3, 1] along both axes, keep every `down`-th pixel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, geometry: _Geometry) -> Tensor:
        y = _filter(x, geometry)
        ctx.adjoint = _adjoint(geometry, x.shape[-1], y.shape[-1])
        return y

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor, None]:
        return _Resample.apply(gy, ctx.adjoint), None


def _adjoint(geometry: _Geometry, size_in: int, size_out: int) -> _Geometry:
    """The geometry of the transposed resampling; the filter is symmetric."""
    up, down, before, _, gain = geometry
    first = len(_TAPS) - 1 - before
    last = (size_in - 1) * up + len(_TAPS) - first - size_out * down
    return down, up, first, last, gain


def _filter(x_NCHW: Tensor, geometry: _Geometry) -> Tensor:
    up, down, before, after, gain = geometry
    n, c, h, w = x_NCHW.shape
    padding = before
    if up > 1:
        shape = (n, c, up * h + before + after, up * w + before + after)
        spread = torch.empty(
            shape, dtype=x_NCHW.dtype, device=x_NCHW.device, memory_format=torch.channels_last
        )
        spread.zero_()[:, :, before : before + up * h : up, before : before + up * w : up] = x_NCHW
        x_NCHW, padding = spread, 0
    return F.conv2d(
        x_NCHW, _kernel(c, gain, x_NCHW.dtype, x_NCHW.device), stride=down, padding=padding, groups=c
    )


@lru_cache(maxsize=64)
def _kernel(channels: int, gain: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    taps = torch.tensor(_TAPS, dtype=torch.float64)
    kernel = torch.outer(taps, taps) * (gain / taps.sum() ** 2)
    kernel = kernel.expand(channels, 1, len(_TAPS), len(_TAPS)).to(device, dtype)
    return kernel.contiguous(memory_format=torch.channels_last)


def run(function: type[torch.autograd.Function], *arguments: Any) -> Tensor:
    """Apply the function, through autograd only if gradients are enabled, as exporters cannot trace it."""
    if torch.is_grad_enabled():
        return function.apply(*arguments)
    return function.forward(_NoGradients(), *arguments)


class _NoGradients:
    """The context of a forward pass whose gradient is not needed."""

    needs_input_grad = (False, False, False)

    def save_for_backward(self, *tensors: Tensor) -> None:
        pass


def convolve(x_NIHW: Tensor, weight_OIkk: Tensor) -> Tensor:
    """Convolution that keeps the size: odd k, zero padding."""
    return run(_Convolution, x_NIHW, weight_OIkk, 1, weight_OIkk.shape[-1] // 2, False)


def convolve_down(x_NIHW: Tensor, weight_OIkk: Tensor) -> Tensor:
    """Low-pass, then 3 x 3 convolution with stride 2: half the size. Source: Karras et al. 2020, fig. 7."""
    return run(_Convolution, run(_Resample, x_NIHW, (1, 1, 2, 2, 1.0)), weight_OIkk, 2, 0, False)


def convolve_up(x_NIHW: Tensor, weight_IOkk: Tensor) -> Tensor:
    """3 x 3 transposed convolution with stride 2, then low-pass: twice the size.

    The weight is that of the convolution which this transposes: its first axis is x's channels.
    """
    return run(_Resample, run(_Convolution, x_NIHW, weight_IOkk, 2, 0, True), (1, 1, 1, 1, 4.0))


def upsample(x_NCHW: Tensor) -> Tensor:
    """Twice the size, filtered with [1, 3, 3, 1]."""
    return run(_Resample, x_NCHW, (2, 1, 2, 1, 4.0))


def downsample(x_NCHW: Tensor) -> Tensor:
    """Half the size, filtered with [1, 3, 3, 1]."""
    return run(_Resample, x_NCHW, (1, 2, 1, 1, 1.0))


def demodulation(weight_power_OI: Tensor, style_NI: Tensor) -> Tensor:
    """Factors [N, O] that give each output map unit variance. Source: Karras et al. 2020, eq. 3.

    weight_power_OI: the squared weights, summed over the kernel. Scaling x by the style, convolving with the
    shared weight and scaling the result by these factors equals convolving each image with its own weight.
    """
    return torch.rsqrt(style_NI.square() @ weight_power_OI.T + 1e-8)


def per_map(values_NC: Tensor) -> Tensor:
    """[N, C] (or [C]) in a shape that broadcasts over [N, C, H, W]."""
    return values_NC[..., None, None]


def activate(
    x_NCHW: Tensor, bias_C: Tensor, scale_NC: Tensor | None = None, noise_N1HW: Tensor | None = None
) -> Tensor:
    """Leaky ReLU of x * scale + noise + bias, in the type of x."""
    dtype = x_NCHW.dtype
    scale = None if scale_NC is None else per_map(scale_NC).to(dtype)
    noise = None if noise_N1HW is None else noise_N1HW.to(dtype)
    return run(_Activation, x_NCHW, scale, noise, per_map(bias_C[None]).to(dtype))


class _Activation(torch.autograd.Function):
    """Stores only the result (and, if scaled, the input), where four operators would store four maps."""

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
