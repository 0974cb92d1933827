"""Settings of the stages that train and use a lesion detector. Imports no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt, MultipleOf

from anonderm.core.config import (
    Batch,
    Count,
    NonNegative,
    Positive,
    Settings,
    Share,
    Whole,
    check,
    check_bounds,
)

Network = Literal["small", "resnet18", "resnet34", "resnet50"]
_Zoom = Annotated[float, Ge(0.25), Le(4)]


@dataclass(frozen=True)
class TrainDetectorConfig(Settings):
    """Train a Faster R-CNN on tiles of the faces of split train that have lesion boxes."""

    network: Network = "small"
    """small can be trained on a CPU; the ResNets, as in torchvision, need a GPU."""
    weights_file: Path | None = None
    """A file of torchvision's weights to start a ResNet from: its Faster R-CNN or its classifier."""
    class_agnostic: bool = False
    """Detect lesions without distinguishing their kinds."""
    size: Annotated[int, Ge(128), Le(4096), MultipleOf(32)] = 320
    """Side of the network's input in pixels; with `lesion_size` it determines the size of the tiles."""
    lesion_size: Annotated[float, Ge(4), Le(1000)] = 10.0
    """Tiles are scaled so that the median lesion of the training faces has this side in pixels."""
    overlap: Annotated[float, Ge(0), Le(0.5)] = 0.2
    """Minimum share of a tile that overlaps with its neighbour, where a face takes several."""
    steps: Count = 1500
    """Training steps."""
    batch: Batch = 4
    """Tiles per step."""
    learning_rate: Positive = 1e-3
    """Highest rate of the one-cycle schedule; 1e-4 suits pretrained weights."""
    weight_decay: NonNegative = 0.01
    """AdamW's decoupled weight decay."""
    lesion_tile_share: Share = 0.8
    """Share of the training tiles that are cut around a lesion; the others are cut anywhere."""
    flip: bool = True
    """Mirror half of the training tiles, at random."""
    colour_jitter: Annotated[float, Ge(0), Lt(1)] = 0.2
    """The brightness, contrast and saturation of training tiles change by up to this share."""
    scale: tuple[_Zoom, _Zoom] = (0.8, 1.25)
    """Training tiles are zoomed by a random factor from this range."""
    val_interval: Count = 300
    """Steps between snapshots; each is validated, and the best one is kept."""
    seed: Whole = 0
    """Seed of the initial weights, the tiles and the augmentation."""

    def __post_init__(self) -> None:
        check_bounds(self)
        small = self.network == "small"
        check(
            not (small and self.weights_file),
            "weights_file: torchvision has no weights for network = small.",
            "Remove --weights-file, or choose --network resnet18.",
        )
        low, high = self.scale
        check(
            low <= high,
            f"scale = {self.scale}: must be a range, lowest factor first.",
            "Give the lower number first, as in --scale 0.8 1.25.",
        )


@dataclass(frozen=True)
class DetectLesionsConfig(Settings):
    """Detect lesions on faces and store their boxes."""

    threshold: Share | None = None
    """Minimum score of a detection; unset: for each kind the one with the best F1 on the validation faces."""
