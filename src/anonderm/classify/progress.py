"""How far the training of a classifier came."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from anonderm.classify.config import Monitor

Measures = dict[str, float | None]


@dataclass
class Progress:
    """How far training came, and the weights and measures of the best epoch so far (counted from 1)."""

    epoch: int = 0
    best_epoch: int = 0
    best: Measures = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def after_epoch(self, weights: dict[str, Tensor], measures: Measures, by: Monitor) -> None:
        """Count one epoch; it is the best if measure `by` is better, or as good at a lower loss."""
        self.epoch += 1
        if not self.best or _rank(measures, by) > _rank(self.best, by):
            self.best_epoch, self.best = self.epoch, measures
            self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}


def _rank(measures: Measures, by: Monitor) -> tuple[float, float]:
    loss, value = measures["loss"], measures[by]
    behind = float("inf") if loss is None else loss
    if by == "loss":
        return -behind, 0.0
    return (float("-inf") if value is None else value), -behind
