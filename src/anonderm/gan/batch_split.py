"""Splitting the batch of a step over processes, and over passes that fit into memory.

A share consists of whole groups of the minibatch standard deviation (discriminator.with_deviation), which
groups image i with those at i + B / group steps: the images of a share are then grouped as in the whole
batch. B images of a batch, N of a share.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from anonderm.core.config import check
from anonderm.core.distributed import SINGLE, World


@dataclass(frozen=True)
class BatchShare:
    """Part of a batch of `batch` images: images `first` to `last` of each of its `group` equal runs."""

    batch: int
    group: int
    first: int
    last: int

    @staticmethod
    def all(batch: int) -> BatchShare:
        """A batch that is not split."""
        return BatchShare(batch, 1, 0, batch)

    def __len__(self) -> int:
        return self.group * (self.last - self.first)

    @property
    def weight(self) -> float:
        """The weight of a mean over this share in the mean over the batch."""
        return len(self) / self.batch

    @property
    def indices(self) -> list[int]:
        """The indices of the share's images in the batch."""
        starts = range(0, self.batch, self.batch // self.group)
        return [start + place for start in starts for place in range(self.first, self.last)]

    def of(self, values_B: Tensor) -> Tensor:
        """The share's rows of values drawn for the whole batch."""
        if len(self) == self.batch:
            return values_B
        runs = values_B.unflatten(0, (self.group, self.batch // self.group))
        return runs[:, self.first : self.last].flatten(0, 1)


@dataclass(frozen=True)
class BatchSplit:
    """The split of every batch over the processes of a run, each of which takes its part in `passes`."""

    world: World = SINGLE
    passes: int = 1
    group: int = 1

    @staticmethod
    def of(batch: int, micro_batch: int | None, group: int, world: World) -> BatchSplit:
        """At most `micro_batch` images a pass.

        Raises ConfigError unless the batch splits evenly into whole groups of the minibatch deviation.
        """
        check(
            batch % world.size == 0,
            f"batch = {batch} does not split evenly over {world.size} processes.",
            "Choose a multiple of the number of processes.",
        )
        own = batch // world.size
        micro = min(micro_batch or own, own)
        check(
            own % micro == 0,
            f"micro_batch = {micro} does not divide {own}, the images of a batch on each process.",
            "Choose a divisor of it.",
        )
        check(
            micro == batch or (micro % group == 0 and micro > 1),
            f"{micro} of {batch} images at once, but the discriminator compares images in groups of {group}.",
            f"Choose batch and micro_batch so that a process has a multiple of {max(group, 2)} at once.",
        )
        return BatchSplit(world, own // micro, group if micro < batch else 1)

    def shares(self, batch: int, *, grouped: bool) -> list[BatchShare]:
        """The shares of this process, one a pass; `grouped`: of images that the discriminator compares."""
        group, parts = self.group if grouped else 1, self.passes * self.world.size
        run = batch // group
        edges = [run * part // parts for part in range(parts + 1)]
        own = range(self.world.rank * self.passes, (self.world.rank + 1) * self.passes)
        return [BatchShare(batch, group, edges[part], edges[part + 1]) for part in own]
