"""Adaptive discriminator augmentation (ADA): the augmentation probability follows D's overfitting."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class AdaptiveProbability:
    """p, adjusted to keep the mean sign of D on real images at a target. Source: sec. 3, r_t."""

    p: float = 0.0
    sign: float = 0.0
    """The last measured r_t in -1..1; high where D overfits."""

    def adjust(self, sign: float, target: float, step: float) -> None:
        """Move p by `step` according to r_t, measured since the last call."""
        self.sign = sign
        self.p = min(max(self.p + math.copysign(step, sign - target), 0.0), 1.0)
