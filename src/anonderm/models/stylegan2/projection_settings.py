"""Settings of a projection into w. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from anonderm.core.config import check

DistanceName = Literal["pyramid", "pyramid+discriminator"]


@dataclass(frozen=True, slots=True)
class ProjectionSettings:
    """How the w nearest to an image is searched (Karras et al. 2020, StyleGAN2, appendix D)."""

    steps: int = 1000
    """Steps of optimisation; 200 give a first impression."""
    distance: DistanceName = "pyramid+discriminator"
    """What "near" means. pyramid: squared differences of colour at every scale, edges included;
    +discriminator: and of what the checkpoint's own one sees. Neither is LPIPS, whose weights don't ship."""
    learning_rate: float = 0.1
    """Largest step; it rises over the first twentieth and falls over the last quarter."""
    start_noise: float = 0.05
    """Perturbation of w in the first three quarters, in standard deviations of w, falling to 0."""
    noise_weight: float = 1e5
    """How strictly the noise maps must stay noise instead of painting the image."""
    seed: int = 0
    """Same seed, same projections."""

    def __post_init__(self) -> None:
        check(self.steps >= 1, f"steps = {self.steps} must be at least 1.")
        check(0 < self.learning_rate < math.inf, "learning_rate must be positive and finite.")
        check(0 <= self.start_noise < math.inf, "start_noise must not be negative.")
        check(0 <= self.noise_weight < math.inf, "noise_weight must not be negative.")
        check(self.seed >= 0, f"seed = {self.seed} must not be negative.")
