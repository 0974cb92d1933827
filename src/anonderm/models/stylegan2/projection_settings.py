"""Settings of a projection into w. Imports no torch."""

from dataclasses import dataclass
from typing import Literal

from anonderm.core.config import Count, NonNegative, Positive, Settings, Whole

DistanceName = Literal["pyramid", "pyramid+discriminator"]


@dataclass(frozen=True, slots=True)
class ProjectionSettings(Settings):
    """How to search for the w nearest to an image (Karras et al. 2020, StyleGAN2, appendix D)."""

    steps: Count = 1000
    """Steps of optimisation; 200 give a first impression."""
    distance: DistanceName = "pyramid+discriminator"
    """pyramid: squared differences of colours and edges at every scale; +discriminator: and of the feature
    maps of the checkpoint's discriminator. Neither is LPIPS, whose weights are not included."""
    learning_rate: Positive = 0.1
    """The largest learning rate; it rises over the first 5% of the steps and falls over the last 25%."""
    start_noise: NonNegative = 0.05
    """Perturbation of w in the first three quarters, in standard deviations of w, falling to 0."""
    noise_weight: NonNegative = 1e5
    """Weight of the penalty that keeps the noise maps from encoding the image."""
    seed: Whole = 0
    """The same seed gives the same projections."""
