"""Settings of the stages that train and use a lesion detector. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anonderm.core.config import check

Network = Literal["small", "resnet18", "resnet34", "resnet50"]

STRIDE = 32  # sides of the network's input are multiples of it


@dataclass(frozen=True)
class TrainDetectorConfig:
    """A Faster R-CNN, trained on tiles of the faces of split train that have lesion boxes."""

    network: Network = "small"
    """small learns on a CPU; the ResNets, as in torchvision, want a GPU."""
    weights: Path | None = None
    """File of torchvision's weights to start a ResNet from: its Faster R-CNN or its classifier."""
    one_kind: bool = False
    """Find lesions without telling their kinds apart."""
    side: int = 320
    """Side of the network's input, in pixels; with `lesion_side` it decides how large the tiles are."""
    lesion_side: float = 10.0
    """Tiles are enlarged (or shrunk) so that the median lesion of the training faces has this side."""
    overlap: float = 0.2
    """Least share of a tile that its neighbour shows too, where a face takes several."""
    steps: int = 1500
    """Training steps."""
    batch: int = 4
    """Tiles a step."""
    learning_rate: float = 1e-3
    """Peak of the one-cycle schedule; 1e-4 suits given weights."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay."""
    near_lesions: float = 0.8
    """Share of the training tiles that are cut around a lesion; the others are cut anywhere."""
    flip: bool = True
    """Mirror half of the training tiles."""
    colour: float = 0.2
    """Training tiles change in brightness, contrast and colour by up to this share."""
    scale: tuple[float, float] = (0.8, 1.25)
    """Training tiles are zoomed by a factor drawn from this range."""
    val_interval: int = 300
    """Steps between saved states and tests on the validation faces, of which the best decides."""
    seed: int = 0
    """Seed of the first weights, the tiles and the augmentation."""

    def __post_init__(self) -> None:
        small = self.network == "small"
        check(not (small and self.weights), "weights: none are published for network small.")
        multiple = self.side >= 4 * STRIDE and self.side % STRIDE == 0
        check(multiple, f"side = {self.side}: must be a multiple of {STRIDE}, at least {4 * STRIDE}.")
        check(self.lesion_side >= 4, f"lesion_side = {self.lesion_side}: must be at least 4 pixels.")
        check(0 <= self.overlap <= 0.5, f"overlap = {self.overlap}: must lie in 0 to 0.5.")
        check(self.steps >= 1, f"steps = {self.steps}: must be at least 1.")
        check(self.batch >= 1, f"batch = {self.batch}: must be at least 1.")
        check(self.learning_rate > 0, f"learning_rate = {self.learning_rate}: must be positive.")
        check(self.weight_decay >= 0, f"weight_decay = {self.weight_decay}: must not be negative.")
        check(0 <= self.near_lesions <= 1, f"near_lesions = {self.near_lesions}: must lie in 0 to 1.")
        check(0 <= self.colour < 1, f"colour = {self.colour}: must lie in [0, 1).")
        low, high = self.scale
        check(0.25 <= low <= high <= 4, f"scale = {self.scale}: must be a range within 0.25 to 4.")
        check(self.val_interval >= 1, f"val_interval = {self.val_interval}: must be at least 1.")
        check(self.seed >= 0, f"seed = {self.seed}: must not be negative.")


@dataclass(frozen=True)
class DetectLesionsConfig:
    """Put the boxes that a detector finds onto faces."""

    threshold: float | None = None
    """Least score of a find that is kept; unset: for each kind what served best on the validation faces."""

    def __post_init__(self) -> None:
        threshold = self.threshold
        check(threshold is None or 0 <= threshold <= 1, f"threshold = {threshold}: must lie in 0 to 1.")
