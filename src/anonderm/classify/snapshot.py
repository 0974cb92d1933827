"""Everything that a killed training needs to go on to the same weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from anonderm.classify.config import Best
from anonderm.core.rundir import RunDir
from anonderm.core.snapshot import (
    SNAPSHOT,
    open_snapshot,
    optimiser_tensors,
    restore_optimiser,
    under_prefix,
    with_prefix,
    write_snapshot,
)

Measures = dict[str, float | None]


@dataclass
class Progress:
    """How far training came, and the weights and measures of the best epoch so far (counted from 1)."""

    epoch: int = 0
    best_epoch: int = 0
    best: Measures = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def after_epoch(self, weights: dict[str, Tensor], measures: Measures, by: Best) -> None:
        """Count one epoch; it is the best if measure `by` is better, or as good at a lower loss."""
        self.epoch += 1
        if not self.best or _rank(measures, by) > _rank(self.best, by):
            self.best_epoch, self.best = self.epoch, measures
            self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}


def _rank(measures: Measures, by: Best) -> tuple[float, float]:
    loss, value = measures["loss"], measures[by]
    behind = float("inf") if loss is None else loss
    if by == "loss":
        return -behind, 0.0
    return (float("-inf") if value is None else value), -behind


def save(run: RunDir, progress: Progress, network: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Write the state after a whole epoch. Raises StorageError."""
    tensors = with_prefix("network/", network.state_dict()) | with_prefix("best/", progress.best_weights)
    tensors |= optimiser_tensors("optimiser/", optimiser)
    numbers = {"epoch": progress.epoch, "best_epoch": progress.best_epoch, "best": progress.best}
    write_snapshot(run.folder / SNAPSHOT, tensors, numbers)


def resume(run: RunDir, network: nn.Module, optimiser: torch.optim.Optimizer) -> Progress:
    """Put network and optimiser back where `save` left them; without a file, a fresh Progress.

    Raises BrokenArtefact for a damaged file.
    """
    path = run.folder / SNAPSHOT
    if not path.exists():
        return Progress()
    with open_snapshot(path) as (tensors, numbers):
        network.load_state_dict(under_prefix("network/", tensors))
        restore_optimiser("optimiser/", optimiser, tensors)
        return Progress(**numbers, best_weights=under_prefix("best/", tensors))
