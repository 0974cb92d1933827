"""Settings of the skin stages. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anonderm.core.config import check


@dataclass(frozen=True, slots=True)
class TrainSkinConfig:
    """Train a BiSeNet to find facial skin, on the rows of split train that have a skin mask.

    The defaults are the published recipe, for 512 px and tens of thousands of masks on a GPU.
    """

    size: int = 512
    """Side at which the network sees a photo, in pixels."""
    crop: int | None = None
    """Side of the crops of it that training shows; unset: seven eighths, as published."""
    width: int = 64
    """Channels of the network's first stage; 64 is the published BiSeNet with ResNet-18."""
    steps: int = 80_000
    """Training steps."""
    batch: int = 16
    """Photos a step."""
    learning_rate: float = 1e-2
    """Highest rate of the backbone."""
    head_lr_multiplier: float = 10.0
    """How many times as fast the parts beside the backbone learn; less suits a backbone without ImageNet's
    weights, which has as much to learn as they have."""
    momentum: float = 0.9
    """Momentum of stochastic gradient descent."""
    weight_decay: float = 1e-5
    """Decay of the convolutions' weights."""
    warm_up: int = 1000
    """Steps over which the rate rises from 1e-5; it then falls as (1 - progress)^0.9."""
    loss: Literal["cross-entropy", "ohem"] = "cross-entropy"
    """Mean over all pixels (Yu et al. 2018), or over the hardest ones only, as the community's face parsing
    does (its weight decay is 5e-4)."""
    augment: Literal["published", "strong"] = "published"
    """Mirror, scale, crop and colours as published; or also turns, other surroundings, shadows, blur and
    noise, for masks of drawn faces that are to serve on photos."""
    resnet: Path | None = None
    """ImageNet weights of ResNet-18 to start the backbone from: torchvision's .pth file."""
    val_interval: int = 1000
    """Steps between two looks at the validation faces; the best one is kept."""
    seed: int = 0
    """Seed of the first weights, the order of the photos and the augmentation."""

    @property
    def crop_size(self) -> int:
        return self.crop or self.size * 7 // 8

    def __post_init__(self) -> None:
        check(self.size >= 64, f"size = {self.size}: must be at least 64.")
        check(
            self.crop is None or 32 <= self.crop <= self.size,
            f"crop = {self.crop}: must be 32 to size = {self.size}.",
        )
        check(
            self.width >= 8 and self.width % 8 == 0, f"width = {self.width}: must be a multiple of 8, from 8."
        )
        check(self.batch >= 2, f"batch = {self.batch}: must be at least 2.")
        check(
            0 <= self.warm_up < self.steps,
            f"warm_up = {self.warm_up}: must be less than steps = {self.steps}.",
            "A short training may warm up for a twentieth of its steps.",
        )
        check(self.learning_rate > 0, f"learning_rate = {self.learning_rate}: must be positive.")
        check(
            self.head_lr_multiplier > 0, f"head_lr_multiplier = {self.head_lr_multiplier}: must be positive."
        )
        check(0 <= self.momentum < 1, f"momentum = {self.momentum}: must be in [0, 1).")
        check(self.weight_decay >= 0, f"weight_decay = {self.weight_decay}: must not be negative.")
        check(self.val_interval >= 1, f"val_interval = {self.val_interval}: must be at least 1.")
        check(self.seed >= 0, f"seed = {self.seed}: must not be negative.")


Fallback = Literal["keep", "skip"]


@dataclass(frozen=True, slots=True)
class SkinConfig:
    """Find the skin of every face, at the photo's own resolution, and measure its tone."""

    weights: str | None = None
    """Weights of others in place of a checkpoint: face-parsing, the community's BiSeNet of 19 classes, or the
    path of such a .pth file. Without both, phantom-skin."""
    size: int | None = None
    """Side at which the network sees a photo, in pixels; unset: the one that it was trained for. More helps
    where faces are small in large photos."""
    keep_masks: bool = False
    """Keep the masks that faces already have, and look for skin only where there is none."""
    min_skin: float = 0.02
    """Smallest share of a photo that must be skin; with less the fallback is taken."""
    fallback: Fallback = "keep"
    """Faces with too little skin stay, with a reason in the manifest, or go to rejected/ (skip)."""

    def __post_init__(self) -> None:
        check(self.size is None or self.size >= 64, f"size = {self.size}: must be at least 64.")
        check(0 <= self.min_skin < 1, f"min_skin = {self.min_skin}: must be in [0, 1).")


@dataclass(frozen=True, slots=True)
class MaskAndCropConfig:
    """Clear everything but the skin, and cut out the smallest box around it at the original resolution."""

    size: int | None = None
    """Side of square pictures: the box, filled up with black, is resampled; unset: the box as it is. Training
    needs squares of one size."""
    min_skin: float = 0.02
    """Smallest share of a photo that must be skin; with less the fallback is taken."""
    fallback: Fallback = "skip"
    """Faces with too little skin go to rejected/ (skip), or stay whole, not cleared, with a reason (keep)."""

    def __post_init__(self) -> None:
        check(self.size is None or self.size >= 8, f"size = {self.size}: must be at least 8.")
        check(0 <= self.min_skin < 1, f"min_skin = {self.min_skin}: must be in [0, 1).")
