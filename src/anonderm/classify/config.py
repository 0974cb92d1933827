"""Settings of the classifier stage. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.config import check


@dataclass(frozen=True)
class TrainClassifierConfig:
    """A CNN from timm, trained on the rows of split train (or, in a set without splits, on four fifths)."""

    backbone: str = "resnet18"
    """A convolutional network by its timm name, such as resnet10t, densenet121 or efficientnet_b3."""
    size: int | None = None
    """Side of the network's input in pixels; unset: the side of the stored images."""
    skip_halvings: int = 0
    """How many of the backbone's first strides to leave out, so that lesions of a few pixels survive."""
    pretrained: bool = False
    """Start from the backbone's published weights, if they are in the local Hugging Face cache."""
    epochs: int = 30
    """Times every training face is shown."""
    batch: int = 32
    """Faces a step."""
    learning_rate: float = 1e-3
    """Peak of the one-cycle schedule; 1e-4 suits pretrained weights."""
    weight_decay: float = 0.05
    """AdamW's decoupled weight decay."""
    label_smoothing: float = 0.1
    """Share of each label that is spread over all classes."""
    class_weights: bool = True
    """Weight the loss so that rare classes count as much as frequent ones."""
    dropout: float = 0.2
    """Share of the last features left out at random in training."""
    flip: bool = True
    """Mirror half of the training faces."""
    brightness: tuple[float, float] = (0.6, 1.0)
    """Training pixels are multiplied by a factor drawn from this range."""
    rotation: float = 10.0
    """Training faces are turned by up to so many degrees either way."""
    seed: int = 0
    """Seed of the first weights, the order of the faces and the augmentation."""

    def __post_init__(self) -> None:
        check(self.size is None or self.size >= 32, f"size = {self.size}: must be at least 32.")
        check(0 <= self.skip_halvings <= 3, f"skip_halvings = {self.skip_halvings}: must be 0 to 3.")
        check(self.epochs >= 1, f"epochs = {self.epochs}: must be at least 1.")
        check(self.batch >= 2, f"batch = {self.batch}: must be at least 2.")
        check(self.learning_rate > 0, f"learning_rate = {self.learning_rate}: must be positive.")
        check(self.weight_decay >= 0, f"weight_decay = {self.weight_decay}: must not be negative.")
        check(0 <= self.label_smoothing < 1, f"label_smoothing = {self.label_smoothing}: must be in [0, 1).")
        check(0 <= self.dropout < 1, f"dropout = {self.dropout}: must be in [0, 1).")
        low, high = self.brightness
        check(0 < low <= high, f"brightness = {self.brightness}: must be a range of positive factors.")
        check(0 <= self.rotation <= 180, f"rotation = {self.rotation}: must be 0 to 180 degrees.")
        check(self.seed >= 0, f"seed = {self.seed}: must not be negative.")
