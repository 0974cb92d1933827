"""Sums and means of the values that training steps report."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Sums(dict[str, Tensor]):
    """Sums of named values, on the device of the values."""

    def add(self, values: Mapping[str, Tensor]) -> None:
        for name, value in values.items():
            self[name] = self[name] + value if name in self else value


class TickStats(Sums):
    """The sum of each value since the last tick and the number of steps that reported it, as a tensor [2].

    Snapshots include them, so that a run interrupted between two ticks reports the same means.
    """

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the values of one step."""
        super().add({name: torch.stack([value, torch.ones_like(value)]) for name, value in values.items()})

    def means(self) -> dict[str, float]:
        pairs = {name: value.tolist() for name, value in self.items()}
        return {name: total / count for name, (total, count) in pairs.items()}
