"""One batch over the processes of a run: each has a part of it, and they learn what one process would.

What is drawn is drawn for the whole batch, and each process takes its rows; batch norm looks at the whole
batch (team_norm.py); the loss is that of the whole batch, of which each process follows its own rows, so the
gradients add up to those of one process.

Shapes: B faces of the whole batch, N of a part, M outputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anonderm.core.distributed import World
from anonderm.core.errors import ConfigError


@dataclass(frozen=True)
class Part:
    """The rows from `first` to `last` of a batch of `whole`, that this rank works on."""

    world: World
    whole: int
    first: int
    last: int

    @staticmethod
    def of(whole: int, world: World) -> Part:
        """Parts of different processes differ by one face at most. Raises ConfigError where one has none."""
        if whole < world.size:
            raise ConfigError(
                f"a step has {whole} faces, too few for {world.size} processes.",
                "Give a larger batch (or epoch_faces), or start fewer processes.",
            )
        edges = [whole * rank // world.size for rank in (world.rank, world.rank + 1)]
        return Part(world, whole, *edges)

    @property
    def rows(self) -> slice:
        return slice(self.first, self.last)

    def gather(self, own_NM: Tensor) -> Tensor:
        """The outputs of the whole batch [B, M]; the gradient goes to the own ones alone."""
        if self.world.size == 1:
            return own_NM
        all_BM = own_NM.new_zeros(self.whole, *own_NM.shape[1:])
        all_BM[self.rows] = own_NM.detach()
        self.world.all_reduce([all_BM])
        return torch.cat([all_BM[: self.first], own_NM, all_BM[self.last :]])
