"""The detector: torchvision's Faster R-CNN (Ren et al. 2015) over a feature pyramid of strides 4, 8 and 16.

A two-stage detector was chosen because a lesion is a few pixels wide: the second stage classifies each
proposal again on the finest level, which gives more reliable kinds and tighter boxes.
"""

# N tiles, C channels, H x W pixels

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anonderm.core.errors import BrokenArtefact
from anonderm.core.tensorfiles import read_weights
from anonderm.models.lesion_detector.tiles import Anchors

_WIDTHS = (24, 40, 80, 128)
_PYRAMID = 48
_LARGEST, _LEVELS = 16384, 8  # pixels of a side, levels of anchors
_MIN_SCORE = 0.02
_MAX_DETECTIONS = 300
_BODY = "backbone.body."


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a card stores to rebuild the network.

    tile, side: sides of a tile in pixels of a face, and of the network's input; anchors: see `tiles`;
    overlap: minimum share of a tile that overlaps with its neighbour; mean, std: of pixels in 0..1.
    """

    network: str
    tile: int
    side: int
    anchors: Anchors
    overlap: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def from_card(values: dict[str, Any]) -> Architecture:
        """Raises KeyError or TypeError for a card of anything else."""
        anchors = tuple(tuple(float(side) for side in level) for level in values["anchors"])
        lists = {name: tuple(float(each) for each in values[name]) for name in ("mean", "std")}
        found = Architecture(**{**values, **lists, "anchors": anchors})
        sizes = (found.tile, found.side)
        if (
            not all(isinstance(size, int) and 0 < size <= _LARGEST for size in sizes)
            or len(anchors) > _LEVELS
        ):
            raise TypeError(f"tile, side = {sizes}, {len(anchors)} levels of anchors")
        return found


def build(architecture: Architecture, kinds: tuple[str, ...]) -> nn.Module:
    """A Faster R-CNN with random weights from torch's global generator.

    Its input is a list of tiles [C, tile, tile] in 0..1, which it resizes to `side`; boxes are in pixels of
    the tile, labels 1..K in the order of `kinds` (0 is background).
    """
    from torchvision.models.detection import FasterRCNN
    from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
    from torchvision.models.detection.rpn import AnchorGenerator
    from torchvision.ops import MultiScaleRoIAlign

    small = architecture.network == "small"
    pyramid = Pyramid(SmallBody(), list(_WIDTHS[1:]), _PYRAMID) if small else _resnet(architecture.network)
    width = 256 if small else 1024
    levels = [str(level) for level in range(len(architecture.anchors))]
    ratios = ((1.0,),) * len(levels)
    return FasterRCNN(
        pyramid,
        min_size=architecture.side,
        max_size=architecture.side,
        image_mean=list(architecture.mean),
        image_std=list(architecture.std),
        rpn_anchor_generator=AnchorGenerator(architecture.anchors, ratios),
        rpn_pre_nms_top_n_train=600,
        rpn_pre_nms_top_n_test=600,
        rpn_post_nms_top_n_train=250,
        rpn_post_nms_top_n_test=250,
        rpn_fg_iou_thresh=0.5,
        rpn_batch_size_per_image=256,
        box_roi_pool=MultiScaleRoIAlign(levels, output_size=7, sampling_ratio=1),
        box_head=TwoMLPHead(pyramid.out_channels * 7**2, width),
        box_predictor=FastRCNNPredictor(width, len(kinds) + 1),
        box_batch_size_per_image=128,
        box_score_thresh=_MIN_SCORE,
        box_detections_per_img=_MAX_DETECTIONS,
    )


class Pyramid(nn.Module):
    """Levels "0", "1", ... of equal width, finest first (Lin et al. 2017); names as in torchvision."""

    def __init__(self, body: nn.Module, widths: list[int], out_channels: int) -> None:
        from torchvision.ops import FeaturePyramidNetwork

        super().__init__()
        self.body = body
        self.fpn = FeaturePyramidNetwork(widths, out_channels)
        self.out_channels = out_channels

    def forward(self, x_NCHW: Tensor) -> OrderedDict[str, Tensor]:
        return self.fpn(self.body(x_NCHW))


def _resnet(name: str) -> Pyramid:
    from torchvision.models import get_model
    from torchvision.models._utils import IntermediateLayerGetter

    resnet = get_model(name, weights=None)
    body = IntermediateLayerGetter(resnet, {f"layer{level + 1}": str(level) for level in range(3)})
    deepest = resnet.fc.in_features
    return Pyramid(body, [deepest // 8, deepest // 4, deepest // 2], 256)


class SmallBody(nn.Module):
    """A small residual network for CPUs: levels of stride 4, 8 and 16."""

    def __init__(self) -> None:
        from torchvision.ops import Conv2dNormActivation

        super().__init__()
        self.stem = Conv2dNormActivation(3, _WIDTHS[0], stride=2)
        self.blocks = nn.ModuleList(_Block(*widths) for widths in pairwise(_WIDTHS))

    def forward(self, x_NCHW: Tensor) -> OrderedDict[str, Tensor]:
        h_NCHW = self.stem(x_NCHW)
        levels = OrderedDict()
        for level, block in enumerate(self.blocks):
            h_NCHW = levels[str(level)] = block(h_NCHW)
        return levels


class _Block(nn.Module):
    """Halves the resolution, then adds a residual of two convolutions (He et al. 2016)."""

    def __init__(self, before: int, after: int) -> None:
        from torchvision.ops import Conv2dNormActivation

        super().__init__()
        self.down = Conv2dNormActivation(before, after, stride=2)
        self.residue = nn.Sequential(
            Conv2dNormActivation(after, after),
            nn.Conv2d(after, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
        )

    def forward(self, x_NCHW: Tensor) -> Tensor:
        h_NCHW = self.down(x_NCHW)
        return torch.relu(h_NCHW + self.residue(h_NCHW))


def load_torchvision_weights(network: nn.Module, path: Path) -> int:
    """Copy every tensor of the file that matches one of the network by name and shape; returns how many.

    The file holds a state dict (safetensors, or a pickle from which only tensors are read) of torchvision's
    Faster R-CNN, or of its ResNet classifier, whose convolutions become the backbone. Raises MissingPath, or
    BrokenArtefact if a tensor of the backbone is missing.
    """
    own = network.state_dict()
    stored = read_weights(path, "Give a .pth or .safetensors file from torchvision.")
    theirs = {_our_name(name): tensor for name, tensor in stored.items()}
    copied = {name: x for name, x in theirs.items() if name in own and own[name].shape == x.shape}
    missing = [
        name for name in own if name.startswith(_BODY) and name not in copied and "num_batches" not in name
    ]
    if missing:
        raise BrokenArtefact(
            f"{path}: not the weights of this network ({missing[0].removeprefix(_BODY)} does not fit).",
            "Set --network to the network in the file's name, such as resnet50.",
        )
    network.load_state_dict({**own, **copied})
    return len(copied)


def _our_name(name: str) -> str:
    """The name in current torchvision, whose pyramid blocks have an index that weights of 2019 lack."""
    if not name.startswith(("backbone.", "rpn.", "roi_heads.")):
        return _BODY + name
    name = re.sub(r"(fpn\.\w+_blocks\.\d+)\.(weight|bias)$", r"\1.0.\2", name)
    return re.sub(r"(rpn\.head\.conv)\.(weight|bias)$", r"\1.0.0.\2", name)
