"""Batch norm over the shards of a batch on all ranks; torch's SyncBatchNorm does so on CUDA only."""

# N faces of a shard, C channels

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anonderm.core.distributed import World
from anonderm.models.classifier.batch_shard import BatchShard
from anonderm.models.classifier.lesion_cnn import Dropout


def set_batch_shard(network: nn.Module, shard: BatchShard) -> None:
    """Set the shard of the next batch in every layer that draws for, or averages over, the whole batch."""
    for layer in network.modules():
        if isinstance(layer, Dropout | SyncBatchNorm):
            layer.shard = shard


def convert_sync_batchnorm(network: nn.Module) -> None:
    """Replace every batch norm by a SyncBatchNorm with the same name and weights."""
    for parent in list(network.modules()):
        for name, layer in list(parent.named_children()):
            if isinstance(layer, _BatchNorm) and layer.track_running_stats:
                setattr(parent, name, SyncBatchNorm(layer))


class SyncBatchNorm(_BatchNorm):
    """A batch norm that trains with the mean and variance of the whole batch; needs `set_batch_shard`.

    Takes over the weights of `layer` and what timm's variant applies afterwards (drop, then act).
    Source: Ioffe and Szegedy 2015, algorithm 1.
    """

    def __init__(self, layer: _BatchNorm) -> None:
        super().__init__(layer.num_features, layer.eps, layer.momentum, affine=False)
        self.weight, self.bias = layer.weight, layer.bias
        self.running_mean, self.running_var = layer.running_mean, layer.running_var
        self.num_batches_tracked = layer.num_batches_tracked
        self.drop: nn.Module = getattr(layer, "drop", nn.Identity())
        self.act: nn.Module = getattr(layer, "act", nn.Identity())
        self.training = layer.training
        self.shard: BatchShard | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.training and self.shard is not None:
            normed = self._by_batch(x, self.shard)
        else:
            mean, variance = self.running_mean, self.running_var
            normed = F.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.eps)
        return self.act(self.drop(normed))

    def _by_batch(self, x: Tensor, shard: BatchShard) -> Tensor:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        wide, shape = x.to(self.running_mean.dtype), (1, -1, *[1] * (x.ndim - 2))
        others = [0, *range(2, x.ndim)]
        count = shard.batch_size * x[0, 0].numel()
        mean_C = _AllReduce.apply(wide.sum(others), shard.world) / count
        centred = wide - mean_C.view(shape)
        variance_C = _AllReduce.apply(centred.square().sum(others), shard.world) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
            self.running_mean.lerp_(mean_C, momentum)
            self.running_var.lerp_(variance_C * (count / max(count - 1, 1)), momentum)
        scale_C = (variance_C + self.eps).rsqrt()
        normed = centred * (scale_C if self.weight is None else scale_C * self.weight).view(shape)
        return (normed if self.bias is None else normed + self.bias.view(shape)).to(x.dtype)


class _AllReduce(torch.autograd.Function):
    """A sum over all ranks; its gradient is the sum of the gradients of all ranks."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, world: World) -> Tensor:
        ctx.world = world
        total = x.detach().clone()
        world.all_reduce([total])
        return total

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return _AllReduce.forward(ctx, grad, ctx.world), None
