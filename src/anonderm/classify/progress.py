"""Progress of a classifier's training, and its best epoch."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from anonderm.classify.config import Monitor

Metrics = dict[str, float | None]


@dataclass
class Progress:
    """Epochs done, and the weights and metrics of the best one so far (counted from 1)."""

    epoch: int = 0
    best_epoch: int = 0
    best: Metrics = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)

    def after_epoch(self, weights: dict[str, Tensor], metrics: Metrics, monitor: Monitor) -> None:
        """Count an epoch; it becomes the best if the monitored metric is better, or equal at a lower loss."""
        self.epoch += 1
        if not self.best or _rank(metrics, monitor) > _rank(self.best, monitor):
            self.best_epoch, self.best = self.epoch, metrics
            self.best_weights = {name: tensor.detach().cpu().clone() for name, tensor in weights.items()}


def _rank(metrics: Metrics, monitor: Monitor) -> tuple[float, float]:
    loss = float("inf") if metrics["loss"] is None else metrics["loss"]
    value = -loss if monitor == "loss" else metrics[monitor]
    return (float("-inf") if value is None else value), -loss
