"""Batch norm over the parts of a batch that each rank has.

Shapes: N faces of a part, C channels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anonderm.core.distributed import World
from anonderm.models.classifier.batch_share import Part
from anonderm.models.classifier.lesion_cnn import Dropout


def tell(part: Part, network: nn.Module) -> None:
    """Tell every layer that draws for, or looks at, the whole batch which part of it comes next."""
    for layer in network.modules():
        if isinstance(layer, Dropout | SyncBatchNorm):
            layer.part = part


def convert_sync_batchnorm(network: nn.Module) -> None:
    """Replace every batch norm by one over the whole batch; names and weights stay. They need `tell`."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, _BatchNorm) and layer.track_running_stats:
                setattr(parent, name, SyncBatchNorm(layer))


class SyncBatchNorm(_BatchNorm):
    """A batch norm whose mean and variance are those of the parts of all processes together.

    `layer` gives its weights, and what timm's own kind does after the norm (drop, then act). torch's
    SyncBatchNorm does the same on CUDA only. Source: Ioffe and Szegedy 2015, algorithm 1.
    """

    def __init__(self, layer: _BatchNorm) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, affine=False)
        self.weight, self.bias = layer.weight, layer.bias
        self.running_mean, self.running_var = layer.running_mean, layer.running_var
        self.num_batches_tracked = layer.num_batches_tracked
        self.drop: nn.Module = getattr(layer, "drop", nn.Identity())
        self.act: nn.Module = getattr(layer, "act", nn.Identity())
        self.training = layer.training
        self.part: Part | None = None

    def forward(self, x: Tensor) -> Tensor:
        normed = self._over_team(x, self.part) if self.training and self.part else self._as_learned(x)
        return self.act(self.drop(normed))

    def _as_learned(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)

    def _over_team(self, x: Tensor, part: Part) -> Tensor:
        assert self.running_mean is not None
        wide, shape = x.to(self.running_mean.dtype), (1, -1, *[1] * (x.ndim - 2))
        others = [0, *range(2, x.ndim)]
        count = part.whole * x[0, 0].numel()
        mean_C = _AllReduce.apply(wide.sum(others), part.world) / count
        centred = wide - mean_C.view(shape)
        variance_C = _AllReduce.apply(centred.square().sum(others), part.world) / count
        self._learn(mean_C.detach(), variance_C.detach() * (count / max(count - 1, 1)))
        scale_C = (variance_C + self.eps).rsqrt()
        normed = centred * (scale_C if self.weight is None else scale_C * self.weight).view(shape)
        return (normed if self.bias is None else normed + self.bias.view(shape)).to(x.dtype)

    @torch.no_grad()
    def _learn(self, mean_C: Tensor, unbiased_C: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean_C, share)
        self.running_var.lerp_(unbiased_C, share)


class _AllReduce(torch.autograd.Function):
    """A sum over all processes, whose gradient comes from the losses of all of them."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, world: World) -> Tensor:
        ctx.world = world
        return _summed(x, world)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _summed(grad, ctx.world), None


def _summed(x: Tensor, world: World) -> Tensor:
    total = x.detach().clone()
    world.all_reduce([total])
    return total
