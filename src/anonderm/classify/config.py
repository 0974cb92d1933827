"""Settings of the classifier stage. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anonderm.core.config import check
from anonderm.models.classifier.settings import HeadName, WeightsName

Monitor = Literal["accuracy", "loss", "macro_f1", "quadratic_kappa", "macro_auc"]

_MONITORS = {
    "multi-label": ("accuracy", "loss", "macro_f1", "macro_auc"),
    "softmax": ("accuracy", "loss", "macro_f1", "quadratic_kappa"),
}


@dataclass(frozen=True)
class TrainClassifierConfig:
    """A CNN, trained on the rows of split train (or, in a set without splits, on four fifths)."""

    backbone: str = "resnet18"
    """A convolutional network by its timm name, such as resnet10t, densenet121 or efficientnet_b3; or
    lesion-cnn, a small one made for lesion types."""
    size: int | None = None
    """Side of the network's input in pixels; unset: the side of the stored images."""
    drop_strides: int = 0
    """How many of the backbone's first strides to leave out, so that lesions of a few pixels survive."""
    weights: WeightsName = "random"
    """What the backbone starts from; imagenet: its published weights in the local Hugging Face cache."""
    weights_file: Path | None = None
    """A file of the backbone's weights to start from instead, .safetensors or .pth."""
    freeze_backbone: bool = False
    """Train the last layer alone."""

    head: HeadName = "softmax"
    """What is learned: classes (softmax), classes in order of severity (corn), the same together with the
    number of lesions (label-distribution), or which lesion types a face shows (multi-label)."""
    count_bounds: tuple[int, ...] = ()
    """For label-distribution: the highest lesion count of each class but the last, mildest first. Unset, for
    the usual severities: 0, 5, 20 and 50 (Hayashi's criterion, which counts half a face)."""

    epochs: int = 30
    """Times every training face is shown (or `epoch_faces` of them), at most."""
    epoch_faces: int | None = None
    """Training faces shown in an epoch, all of them equally often over time; unset: each of them once."""
    batch: int = 32
    """Faces a step."""
    optimiser: Literal["adamw", "adam", "rmsprop", "sgd"] = "adamw"
    """How the weights are changed; sgd has a momentum of 0.9."""
    learning_rate: float = 1e-3
    """Highest learning rate; 1e-4 suits pretrained weights."""
    schedule: Literal["one-cycle", "cosine", "constant"] = "one-cycle"
    """How the learning rate goes: up and down, down from the start, or not at all."""
    weight_decay: float = 0.05
    """Weight decay: decoupled for adamw, added to the gradient for the others."""
    monitor: Monitor = "accuracy"
    """The measure on the held-out faces whose best epoch is kept; of equals the one with the lowest loss."""
    patience: int | None = None
    """Stop after so many epochs in a row without a better one."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the network's arithmetic in training; weights, losses and the optimiser stay in float32."""

    label_smoothing: float = 0.1
    """Share of each label that is spread over all classes; for softmax and multi-label."""
    class_weights: bool = True
    """Weight the loss so that rare classes (or types) count as much as frequent ones."""
    dropout: float = 0.2
    """Share of the last features left out at random in training."""
    flip: bool = True
    """Mirror half of the training faces."""
    brightness: tuple[float, float] = (0.6, 1.0)
    """Training pixels are multiplied by a factor drawn from this range."""
    rotation: float = 10.0
    """Training faces are turned by up to so many degrees either way."""
    translation: float = 0.0
    """Training faces are moved by up to this share of their side, across and down."""
    zoom: float = 0.0
    """Training faces are enlarged or shrunk by up to this share."""
    seed: int = 0
    """Seed of the first weights, the order of the faces and the augmentation."""

    def __post_init__(self) -> None:
        check(self.size is None or self.size >= 32, f"size = {self.size}: must be at least 32.")
        check(0 <= self.drop_strides <= 3, f"drop_strides = {self.drop_strides}: must be 0 to 3.")
        check(
            self.weights_file is None or self.weights == "random",
            f"weights = {self.weights} and weights_file = {self.weights_file}: only one can be.",
        )
        check(
            all(low < high for low, high in zip((-1, *self.count_bounds), self.count_bounds, strict=False)),
            f"count_bounds = {self.count_bounds}: must be counts that grow.",
        )
        check(
            not self.count_bounds or self.head == "label-distribution",
            f"count_bounds = {self.count_bounds}: only head = label-distribution has them.",
        )
        check(self.epochs >= 1, f"epochs = {self.epochs}: must be at least 1.")
        check(
            self.epoch_faces is None or self.epoch_faces >= 1,
            f"epoch_faces = {self.epoch_faces}: must be at least 1.",
        )
        check(self.batch >= 2, f"batch = {self.batch}: must be at least 2.")
        check(self.learning_rate > 0, f"learning_rate = {self.learning_rate}: must be positive.")
        check(self.weight_decay >= 0, f"weight_decay = {self.weight_decay}: must not be negative.")
        known = _MONITORS["multi-label" if self.head == "multi-label" else "softmax"]
        check(
            self.monitor in known,
            f"monitor = {self.monitor}: not measured for head = {self.head}.",
            f"Choose from: {', '.join(known)}.",
        )
        check(self.patience is None or self.patience >= 1, f"patience = {self.patience}: must be at least 1.")
        check(0 <= self.label_smoothing < 1, f"label_smoothing = {self.label_smoothing}: must be in [0, 1).")
        check(0 <= self.dropout < 1, f"dropout = {self.dropout}: must be in [0, 1).")
        low, high = self.brightness
        check(0 < low <= high, f"brightness = {self.brightness}: must be a range of positive factors.")
        check(0 <= self.rotation <= 180, f"rotation = {self.rotation}: must be 0 to 180 degrees.")
        check(0 <= self.translation < 1, f"translation = {self.translation}: must be in [0, 1).")
        check(0 <= self.zoom < 1, f"zoom = {self.zoom}: must be in [0, 1).")
        check(self.seed >= 0, f"seed = {self.seed}: must not be negative.")
