"""How far the training of a skin network came."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


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
