"""The probability of augmentation, steered while a GAN trains."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class AugmentProbability:
    """p, steered so that the mean sign of D on real images stays at a target. Source: sec. 3, r_t."""

    p: float = 0.0
    sign: float = 0.0
    """The last measured r_t: -1..1, high where D overfits."""

    def steer(self, sign: float, target: float, step: float) -> None:
        """Move p by `step` towards the target, given r_t measured since the last call."""
        self.sign = sign
        self.p = min(max(self.p + math.copysign(step, sign - target), 0.0), 1.0)
