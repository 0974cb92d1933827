"""Convolution by minimal filtering, differentiable to any order.

The three functions are the gradients of <convolution(x, w), y> in y, x and w, so the gradient of each is made
of the other two. x_, w_ and y_ are the factors as winograd.py transforms them, made where they are not known
yet: what is transformed for the forward pass, or for one of two gradients, serves the other products too.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from anonderm.models.stylegan2 import winograd
from anonderm.models.stylegan2.toom_cook import Algorithm

_Known = Tensor | None


class Convolution(torch.autograd.Function):
    """y = w * x by minimal filtering. x_, w_, y_: the transformed factors, where they are known already."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, a: Algorithm, x_: _Known = None, w_: _Known = None) -> Tensor:
        x_ = winograd.data(x, a) if x_ is None else x_
        w_ = winograd.kernel(w, a) if w_ is None else w_
        _keep(ctx, a, x, w, x_ if ctx.needs_input_grad[1] else None, w_ if ctx.needs_input_grad[0] else None)
        return winograd.convolution(x_, w_, _scaled(x, a.results, a.step), a)

    @staticmethod
    def backward(ctx: Any, gy: Tensor) -> tuple[Tensor | None, ...]:
        x, w, x_, w_ = ctx.saved_tensors
        gy_ = winograd.pixels(gy.detach(), ctx.algorithm)
        gx = Adjoint.apply(gy, w, ctx.algorithm, gy_, w_) if ctx.needs_input_grad[0] else None
        gw = WeightGradient.apply(x, gy, ctx.algorithm, x_, gy_) if ctx.needs_input_grad[1] else None
        return gx, gw, None, None, None


class Adjoint(torch.autograd.Function):
    """The transpose of `Convolution` in x, with the same weight."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, w: Tensor, a: Algorithm, y_: _Known = None, w_: _Known = None) -> Tensor:
        y_ = winograd.pixels(y, a) if y_ is None else y_
        w_ = winograd.kernel(w, a) if w_ is None else w_
        _keep(ctx, a, y, w, y_ if ctx.needs_input_grad[1] else None, w_ if ctx.needs_input_grad[0] else None)
        return winograd.adjoint(y_, w_, _scaled(y, a.step, a.results), a)

    @staticmethod
    def backward(ctx: Any, gx: Tensor) -> tuple[Tensor | None, ...]:
        y, w, y_, w_ = ctx.saved_tensors
        gx_ = winograd.data(gx.detach(), ctx.algorithm)
        gy = Convolution.apply(gx, w, ctx.algorithm, gx_, w_) if ctx.needs_input_grad[0] else None
        gw = WeightGradient.apply(gx, y, ctx.algorithm, gx_, y_) if ctx.needs_input_grad[1] else None
        return gy, gw, None, None, None


class WeightGradient(torch.autograd.Function):
    """d<Convolution(x, w), y> / dw, bilinear in x and y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, a: Algorithm, x_: _Known = None, y_: _Known = None) -> Tensor:
        x_ = winograd.data(x, a) if x_ is None else x_
        y_ = winograd.pixels(y, a) if y_ is None else y_
        _keep(ctx, a, x, y, x_ if ctx.needs_input_grad[1] else None, y_ if ctx.needs_input_grad[0] else None)
        return winograd.weight_gradient(x_, y_, a)

    @staticmethod
    def backward(ctx: Any, ggw: Tensor) -> tuple[Tensor | None, ...]:
        x, y, x_, y_ = ctx.saved_tensors
        ggw_ = winograd.kernel(ggw.detach(), ctx.algorithm)
        gx = Adjoint.apply(y, ggw, ctx.algorithm, y_, ggw_) if ctx.needs_input_grad[0] else None
        gy = Convolution.apply(x, ggw, ctx.algorithm, x_, ggw_) if ctx.needs_input_grad[1] else None
        return gx, gy, None, None, None


def _keep(ctx: Any, algorithm: Algorithm, *tensors: Tensor | None) -> None:
    ctx.save_for_backward(*tensors)
    ctx.algorithm = algorithm


def _scaled(x_NCHW: Tensor, factor: int, divisor: int) -> tuple[int, int, int]:
    n, _, h, w = x_NCHW.shape
    return n, h * factor // divisor, w * factor // divisor
