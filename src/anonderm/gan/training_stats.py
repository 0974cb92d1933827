"""Sums and means of the values that training steps report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from anonderm.core.snapshot import under_prefix, with_prefix

_PREFIX = "sum."


class Sums(dict[str, Tensor]):
    """Sums of named values, on the device of the values."""

    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self[name] = self[name] + value if name in self else value


@dataclass
class TickStats:
    """The sum of each value since the last tick, and the number of steps that reported it.

    Snapshots include them, so that a run interrupted between two ticks reports the same means.
    """

    sums: Sums = field(default_factory=Sums)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the values of one step."""
        self.sums.add(values)
        for name in values:
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        return {name: float(total) / self.counts[name] for name, total in self.sums.items()}

    def tensors(self) -> dict[str, Tensor]:
        """The sums, as a snapshot stores them."""
        return with_prefix(_PREFIX, self.sums)

    @staticmethod
    def restored(tensors: Mapping[str, Tensor], counts: Mapping[str, Any], device: torch.device) -> TickStats:
        """The inverse of `tensors` and `counts`."""
        sums = Sums({name: tensor.to(device) for name, tensor in under_prefix(_PREFIX, tensors).items()})
        return TickStats(sums, {name: int(counts[name]) for name in sums})
