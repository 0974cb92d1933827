"""Settings of `skin`, `mask-and-crop` and `train-skin`. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt, MultipleOf

from anonderm.core.config import Count, NonNegative, Positive, Settings, Side, Whole, check, check_bounds

Fraction = Annotated[float, Ge(0), Lt(1)]
"""At least 0 and below 1."""
NetworkSize = Annotated[int, Ge(64), Le(4096)]


@dataclass(frozen=True, slots=True)
class TrainSkinConfig(Settings):
    """Train a BiSeNet that segments facial skin on the rows of split train that have a skin mask.

    The defaults are the published recipe, for 512 px and tens of thousands of masks on a GPU.
    """

    size: NetworkSize = 512
    """Side of the network's input, in pixels."""
    crop: Annotated[int, Ge(32), Le(4096)] | None = None
    """Side of the training crops, in pixels. Default: seven eighths of `size`, as published."""
    width: Annotated[int, Ge(8), Le(1024), MultipleOf(8)] = 64
    """Channels of the network's first stage; 64 is the published BiSeNet with ResNet-18."""
    steps: Count = 80_000
    """Training steps."""
    batch: Annotated[int, Ge(2), Le(4096)] = 16
    """Photos per step."""
    learning_rate: Positive = 1e-2
    """Highest learning rate of the backbone."""
    head_lr_multiplier: Positive = 10.0
    """Learning rate of the other parts relative to the backbone's. Use a smaller value for a backbone without
    ImageNet weights."""
    momentum: Fraction = 0.9
    """Momentum of stochastic gradient descent."""
    weight_decay: NonNegative = 1e-5
    """Weight decay of the convolutions."""
    warm_up: Whole = 1000
    """Steps over which the learning rate rises from 1e-5; it then falls as (1 - progress)^0.9."""
    loss: Literal["cross-entropy", "ohem"] = "cross-entropy"
    """Mean over all pixels (Yu et al. 2018), or over the hardest ones only, as in the community's face
    parsing (whose weight decay is 5e-4)."""
    augment: Literal["published", "strong"] = "published"
    """Mirror, scale, crop and colour jitter as published; or also rotation, other backgrounds, shadows, blur
    and noise, for masks of drawn faces that are to be applied to photos."""
    resnet: Path | None = None
    """ImageNet weights of ResNet-18 to initialise the backbone: torchvision's .pth file."""
    val_interval: Count = 1000
    """Steps between evaluations on the validation faces; the best step is kept."""
    seed: Whole = 0
    """Seed of the initial weights, the order of the photos and the augmentation."""

    @property
    def crop_size(self) -> int:
        return self.crop or self.size * 7 // 8

    def __post_init__(self) -> None:
        check_bounds(self)
        check(
            self.crop_size <= self.size,
            f"crop = {self.crop}: must be at most size = {self.size}.",
            "Lower --crop or raise --size.",
        )
        check(
            self.warm_up < self.steps,
            f"warm_up = {self.warm_up}: must be less than steps = {self.steps}.",
            "In a short training, a twentieth of the steps is a sensible warm-up.",
        )


Fallback = Literal["keep", "skip"]


@dataclass(frozen=True, slots=True)
class SkinConfig(Settings):
    """Segment the skin of every face at the photo's own resolution and measure its tone."""

    weights: str | None = None
    """Third-party weights instead of a checkpoint: face-parsing, the community's BiSeNet with 19 classes, or
    the path of such a .pth file. Without either, phantom-skin is used."""
    size: NetworkSize | None = None
    """Side of the network's input, in pixels. Default: the size that it was trained for. A larger size helps
    with small faces in large photos."""
    keep_masks: bool = False
    """Keep the masks that faces already have and segment only the others."""
    min_skin: Fraction = 0.02
    """Smallest share of a photo that must be skin; below it, `fallback` applies."""
    fallback: Fallback = "keep"
    """Faces with too little skin stay, with a reason in the manifest (keep), or go to rejected/ (skip)."""


@dataclass(frozen=True, slots=True)
class MaskAndCropConfig(Settings):
    """Clear everything but the skin and crop to its bounding box at the original resolution."""

    size: Side | None = None
    """Side of the pictures, in pixels: the bounding box is padded with black to a square and resampled.
    Default: the bounding box as it is. Training needs squares of one size."""
    min_skin: Fraction = 0.02
    """Smallest share of a photo that must be skin; below it, `fallback` applies."""
    fallback: Fallback = "skip"
    """Faces with too little skin go to rejected/ (skip), or stay whole and uncleared, with a reason
    (keep)."""
