"""One batch divided over the processes of a run, with the gradients of the whole batch.

Random numbers are drawn for the whole batch and each process takes its rows; batch norm uses the statistics
of the whole batch (classify/sync_batchnorm.py); every process computes the loss of the whole batch but only
backpropagates through its own rows, so the gradients of all processes add up to those of one process.

Shapes: B faces of the whole batch, N of a shard, M outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anonderm.core.distributed import World
from anonderm.core.errors import ConfigError


@dataclass(frozen=True)
class BatchShard:
    """Rows `first` to `last` (exclusive) of a batch of `batch_size` faces, which this rank works on."""

    world: World
    batch_size: int
    first: int
    last: int

    @staticmethod
    def of(batch_size: int, world: World) -> BatchShard:
        """Shards differ by one face at most. Raises ConfigError where a rank would have none."""
        if batch_size < world.size:
            raise ConfigError(
                f"a step has {batch_size} faces, too few for {world.size} processes.",
                "Set a larger batch (or epoch_faces), or start fewer processes.",
            )
        first, last = (batch_size * rank // world.size for rank in (world.rank, world.rank + 1))
        return BatchShard(world, batch_size, first, last)

    @property
    def rows(self) -> slice:
        return slice(self.first, self.last)

    def gather(self, own_NM: Tensor) -> Tensor:
        """The outputs of the whole batch [B, M]; gradients flow to this rank's rows only."""
        if self.world.size == 1:
            return own_NM
        all_BM = own_NM.new_zeros(self.batch_size, *own_NM.shape[1:])
        all_BM[self.rows] = own_NM.detach()
        self.world.all_reduce([all_BM])
        return torch.cat([all_BM[: self.first], own_NM, all_BM[self.last :]])
