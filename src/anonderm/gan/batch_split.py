"""How the batch of a step is split over processes, and over passes that fit into memory.

A share is made of whole groups of the discriminator's deviation statistics (networks.with_deviation), which
put image i together with those at i + B / group steps: a share is then grouped as the whole batch would be.
B images of a batch, N of a share.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from anonderm.core.config import check
from anonderm.core.distributed import SINGLE, World


@dataclass(frozen=True)
class Share:
    """Some images of a batch of `whole`: of each of its `group` equal runs, those from `first` to `last`."""

    whole: int
    group: int
    first: int
    last: int

    @staticmethod
    def all(count: int) -> Share:
        """A batch that is not split."""
        return Share(count, 1, 0, count)

    def __len__(self) -> int:
        return self.group * (self.last - self.first)

    @property
    def weight(self) -> float:
        """What the mean over this share counts in the mean over the batch."""
        return len(self) / self.whole

    @property
    def rows(self) -> list[int]:
        """The places of the images in the batch."""
        starts = range(0, self.whole, self.whole // self.group)
        return [start + place for start in starts for place in range(self.first, self.last)]

    def of(self, values_B: Tensor) -> Tensor:
        """The share's rows of what was drawn for the whole batch."""
        if len(self) == self.whole:
            return values_B
        runs = values_B.unflatten(0, (self.group, self.whole // self.group))
        return runs[:, self.first : self.last].flatten(0, 1)


@dataclass(frozen=True)
class Split:
    """A batch is split over the processes of a run, each of which goes over its part in `passes`."""

    world: World = SINGLE
    passes: int = 1
    group: int = 1

    @staticmethod
    def of(batch: int, micro_batch: int | None, group: int, world: World) -> Split:
        """At most `micro_batch` images a pass.

        Raises ConfigError unless the batch splits evenly, into whole groups of the deviation statistics.
        """
        check(
            batch % world.size == 0,
            f"batch = {batch} does not split over {world.size} processes.",
            "Choose a batch that is a multiple of the number of processes.",
        )
        own = batch // world.size
        micro = min(micro_batch or own, own)
        check(
            own % micro == 0,
            f"micro_batch = {micro} does not divide {own}, the images of a batch that a process has.",
            "Choose a divisor of it.",
        )
        check(
            micro == batch or (micro % group == 0 and micro > 1),
            f"{micro} of {batch} images at once, but the discriminator compares images in groups of {group}.",
            f"Choose batch and micro_batch so that a process has a multiple of {max(group, 2)} at once.",
        )
        return Split(world, own // micro, group if micro < batch else 1)

    def grouped(self, whole: int) -> list[Share]:
        """The shares of this process, one a pass, of images that the discriminator compares."""
        return self._shares(whole, self.group)

    def single(self, whole: int) -> list[Share]:
        """The same for images that have nothing to do with each other."""
        return self._shares(whole, 1)

    def _shares(self, whole: int, group: int) -> list[Share]:
        run, parts = whole // group, self.passes * self.world.size
        edges = [run * part // parts for part in range(parts + 1)]
        own = range(self.world.rank * self.passes, (self.world.rank + 1) * self.passes)
        return [Share(whole, group, edges[part], edges[part + 1]) for part in own]


WHOLE = Split()
