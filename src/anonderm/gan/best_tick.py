"""Selection of the tick whose weights become the checkpoint, and early stopping."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from anonderm.gan.tick_metrics import TickMetrics

MAX_NEAR_COPY_RATIO = 4.0
"""A tick with more than this many times the expected near-copies is kept only if all ticks have so many.

If synthetic faces were as far from training faces as held-out ones, chance would exceed this in at most 2% of
runs, however few faces were held out: e^-4, if the nearest held-out face alone sets the threshold."""


@dataclass
class BestTick:
    """The kept tick so far: its step, its metrics, and the number of ticks since then.

    A tick is kept if its kernel distance exceeds the lowest so far by no more than the standard error of
    their difference: of two indistinguishable ticks the later one, as a low distance over a few hundred faces
    may be luck (the one-standard-error rule; Breiman et al. 1984, sec. 3.4.3). Ticks that copy training faces
    are kept only while there are no others, and of those the one with the fewest near-copies.
    """

    step: int = 0
    kernel_distance: float = math.inf
    standard_error: float = 0.0
    near_copy_ratio: float = math.inf
    lowest: float = math.inf
    lowest_error: float = 0.0
    ticks_since: int = 0

    def update(self, step: int, metrics: TickMetrics) -> bool:
        """Take a tick into account; return whether it is kept."""
        keep = self._is_as_good(metrics)
        self.ticks_since = 0 if keep else self.ticks_since + 1
        if keep:
            self.step, self.kernel_distance = step, metrics.kernel_distance
            self.standard_error, self.near_copy_ratio = metrics.standard_error, metrics.near_copy_ratio
        if metrics.near_copy_ratio <= MAX_NEAR_COPY_RATIO and metrics.kernel_distance < self.lowest:
            self.lowest, self.lowest_error = metrics.kernel_distance, metrics.standard_error
        return keep

    def _is_as_good(self, metrics: TickMetrics) -> bool:
        if metrics.near_copy_ratio > MAX_NEAR_COPY_RATIO:
            return metrics.near_copy_ratio < self.near_copy_ratio and self.lowest == math.inf
        margin = math.hypot(metrics.standard_error, self.lowest_error)
        return metrics.kernel_distance <= self.lowest + margin

    @property
    def copies(self) -> bool:
        """Whether even the kept tick has too many near-copies of training faces."""
        return self.step > 0 and self.near_copy_ratio > MAX_NEAR_COPY_RATIO

    def values(self) -> dict[str, Any]:
        """The fields as JSON values; infinite ones are left out."""
        return {name: value for name, value in asdict(self).items() if value != math.inf}
