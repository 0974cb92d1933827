"""Settings of train-classifier. Imports no torch."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt

from anonderm.core.config import Count, NonNegative, Positive, Settings, Whole, check, check_bounds
from anonderm.models.classifier.settings import HeadName, WeightsName

Monitor = Literal["accuracy", "loss", "macro_f1", "quadratic_kappa", "macro_auc"]
Schedule = Literal["one-cycle", "cosine", "constant"]
_ShareBelowOne = Annotated[float, Ge(0), Lt(1)]


@dataclass(frozen=True)
class TrainClassifierConfig(Settings):
    """Train a CNN on the faces of split train (or, in a set without splits, on four fifths of them)."""

    backbone: str = "resnet18"
    """A convolutional network by its timm name, such as resnet10t, densenet121 or efficientnet_b3; or
    lesion-cnn, a small network for lesion types."""
    size: Annotated[int, Ge(32), Le(4096)] | None = None
    """Side of the network's input in pixels; unset: the side of the stored images."""
    drop_strides: Annotated[int, Ge(0), Le(3)] = 0
    """How many of the backbone's first strides to leave out, so that lesions of a few pixels stay visible."""
    weights: WeightsName = "random"
    """Initial weights of the backbone; imagenet: its published weights in the local Hugging Face cache."""
    weights_file: Path | None = None
    """A file of initial weights of the backbone instead, .safetensors or .pth."""
    freeze_backbone: bool = False
    """Train only the last layer."""

    head: HeadName = "softmax"
    """What is learned: classes (softmax), classes in order of severity (corn), the same together with the
    number of lesions (label-distribution), or which lesion types a face has (multi-label)."""
    count_bounds: tuple[Whole, ...] = ()
    """For label-distribution: the highest lesion count of each class but the last, mildest first. Unset, for
    the usual severities: 0, 5, 20 and 50 (Hayashi's criterion, which counts half a face)."""

    epochs: Count = 30
    """Passes over the training faces (or over `epoch_faces` of them), at most."""
    epoch_faces: Count | None = None
    """Training faces in an epoch, all of them equally often in the long run; unset: each of them once."""
    batch: Annotated[int, Ge(2), Le(4096)] = 32
    """Faces per step."""
    optimiser: Literal["adamw", "adam", "rmsprop", "sgd"] = "adamw"
    """The optimiser; sgd has a momentum of 0.9."""
    learning_rate: Positive = 1e-3
    """Highest learning rate; 1e-4 suits pretrained weights."""
    schedule: Schedule = "one-cycle"
    """How the learning rate changes: up and then down, down from the start, or not at all."""
    weight_decay: NonNegative = 0.05
    """Weight decay: decoupled for adamw, added to the gradient for the others."""
    monitor: Monitor = "accuracy"
    """The validation metric that selects the epoch to keep; among equal epochs the lowest loss decides."""
    patience: Count | None = None
    """Stop after this many epochs in a row without improvement."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Type of the network's arithmetic in training; weights, losses and optimiser states stay in float32."""

    label_smoothing: _ShareBelowOne = 0.1
    """Share of each label that is spread over all classes; for softmax and multi-label."""
    class_weights: bool = True
    """Weight the loss so that rare classes (or types) count as much as frequent ones."""
    dropout: _ShareBelowOne = 0.2
    """Share of the features before the last layer that dropout sets to zero in training."""
    flip: bool = True
    """Mirror half of the training faces, at random."""
    brightness: tuple[Positive, Positive] = (0.6, 1.0)
    """The pixels of a training face are multiplied by a random factor from this range."""
    rotation: Annotated[float, Ge(0), Le(180)] = 10.0
    """Training faces are rotated by up to this many degrees either way."""
    translation: _ShareBelowOne = 0.0
    """Training faces are shifted by up to this share of their side, horizontally and vertically."""
    zoom: _ShareBelowOne = 0.0
    """Training faces are enlarged or shrunk by up to this share."""
    seed: Whole = 0
    """Seed of the initial weights, the order of the faces and the augmentation."""

    def __post_init__(self) -> None:
        check_bounds(self)
        check(
            self.weights_file is None or self.weights == "random",
            f"weights = {self.weights} and weights_file = {self.weights_file}: only one of them can be set.",
            "Remove --weights or --weights-file.",
        )
        bounds = self.count_bounds
        check(
            all(low < high for low, high in pairwise(bounds)),
            f"count_bounds = {bounds}: must be in ascending order.",
            "Give the highest count of each class but the last, mildest first, as in --count-bounds 0 5 20.",
        )
        check(
            not bounds or self.head == "label-distribution",
            f"count_bounds = {bounds}: only for head = label-distribution.",
            "Add --head label-distribution, or remove --count-bounds.",
        )
        of_head = "macro_auc" if self.head == "multi-label" else "quadratic_kappa"
        monitors = ("accuracy", "loss", "macro_f1", of_head)
        check(
            self.monitor in monitors,
            f"monitor = {self.monitor}: not measured for head = {self.head}.",
            f"Choose from: {', '.join(monitors)}.",
        )
        low, high = self.brightness
        check(
            low <= high,
            f"brightness = {self.brightness}: must be a range, lowest factor first.",
            "Give the lower number first, as in --brightness 0.6 1.0.",
        )
