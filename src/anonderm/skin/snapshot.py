"""Everything that a killed training needs to go on to the same weights."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

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
from anonderm.skin.bisenet import BiSeNet


@dataclass
class Progress:
    """How many steps were done, the loss since the last look, and the best weights so far."""

    step: int = 0
    loss_sum: float = 0.0
    loss_steps: int = 0
    best_step: int = 0
    best_dice: float = -1.0
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def after_step(self, loss: float) -> None:
        self.step += 1
        self.loss_sum += loss
        self.loss_steps += 1

    def judged(self, weights: dict[str, Tensor], dice: float) -> float:
        """Keep the weights if none were better; the mean loss since the last look."""
        if dice > self.best_dice:
            self.best_step, self.best_dice, self.best_weights = self.step, dice, _compact(weights)
        loss = self.loss_sum / max(1, self.loss_steps)
        self.loss_sum, self.loss_steps = 0.0, 0
        return loss


def _compact(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Convolutions as float16; what the norms hold stays as it is, for small variances would underflow."""
    return {
        name: value.detach().cpu().half() if value.ndim > 1 else value.detach().cpu().clone()
        for name, value in weights.items()
    }


def save(run: RunDir, progress: Progress, network: BiSeNet, optimiser: torch.optim.Optimizer) -> None:
    """Write the state after a whole step. Raises StorageError."""
    tensors = with_prefix("network/", network.state_dict()) | with_prefix("best/", progress.best_weights)
    tensors |= optimiser_tensors("optimiser/", optimiser)
    numbers = {name: value for name, value in vars(progress).items() if name != "best_weights"}
    write_snapshot(run.folder / SNAPSHOT, tensors, numbers)


def resume(run: RunDir, network: BiSeNet, optimiser: torch.optim.Optimizer) -> Progress:
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
