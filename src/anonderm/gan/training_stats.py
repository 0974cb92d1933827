"""What the steps since the last tick add up to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from anonderm.core.snapshot import under_prefix, with_prefix

_PREFIX = "sum."


@dataclass
class TickSums:
    """Totals of each number the steps gave, on the device, and in how many steps each occurred.

    They are part of a snapshot, so that a run stopped between two ticks reports the same means.
    """

    totals: dict[str, Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, numbers: Mapping[str, Tensor]) -> None:
        """Add one step's numbers."""
        for name, value in numbers.items():
            self.totals[name] = self.totals[name] + value if name in self.totals else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        return {name: float(total) / self.counts[name] for name, total in self.totals.items()}

    def tensors(self) -> dict[str, Tensor]:
        """The totals as a snapshot holds them."""
        return with_prefix(_PREFIX, self.totals)

    @staticmethod
    def of(tensors: Mapping[str, Tensor], counts: Mapping[str, Any], device: torch.device) -> TickSums:
        """Back from a snapshot."""
        totals = {name: tensor.to(device) for name, tensor in under_prefix(_PREFIX, tensors).items()}
        return TickSums(totals, {name: int(counts[name]) for name in totals})
