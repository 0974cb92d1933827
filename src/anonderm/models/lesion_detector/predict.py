"""Using a lesion detector: checkpoint -> network -> lesions found on a face."""

# N tiles or finds, C channels, H x W pixels

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.images import Pixels
from anonderm.core.records import Lesion
from anonderm.metrics.average_precision import Found
from anonderm.models.lesion_detector.network import Architecture, build
from anonderm.models.lesion_detector.tiles import corners, is_cut

_MOST_SHARED = 0.5
_TILES_AT_ONCE = 8


@dataclass(frozen=True)
class Detector:
    """A network with what it takes to use it; `thresholds`: from which score on a find of a kind counts."""

    network: nn.Module
    architecture: Architecture
    kinds: tuple[str, ...]
    thresholds: dict[str, float]

    def find(self, image_HWC: Pixels) -> list[Found]:
        """Every lesion of any likelihood on a uint8 face, best first, boxes in its pixels.

        Where two boxes overlap by more than half, whatever their kinds, the likelier stays.
        """
        from torchvision.ops import nms

        self.network.eval()
        height, width = image_HWC.shape[:2]
        places = corners(height, width, self.architecture.tile, self.architecture.overlap)
        parts = []
        with torch.inference_mode():
            for first in range(0, len(places), _TILES_AT_ONCE):
                parts += self._in_tiles(image_HWC, places[first : first + _TILES_AT_ONCE])
        boxes_N4, scores_N, labels_N = (torch.cat([part[name] for part in parts]) for name in _NAMES)
        boxes_N4 = torch.minimum(boxes_N4, torch.tensor([width, height, width, height])).clamp(min=0)
        full_N = ((boxes_N4[:, 2:] - boxes_N4[:, :2]) > 0).all(dim=1)
        rows = torch.arange(len(scores_N))[full_N]
        kept = rows[nms(boxes_N4[rows], scores_N[rows], _MOST_SHARED)]
        return [
            Found(Lesion(self.kinds[label - 1], *box), score)
            for box, score, label in zip(
                boxes_N4[kept].tolist(), scores_N[kept].tolist(), labels_N[kept].tolist(), strict=True
            )
        ]

    def _in_tiles(self, image_HWC: Pixels, places: list[tuple[int, int]]) -> list[dict[str, Tensor]]:
        """Finds of each tile in pixels of the picture, on the CPU, but for those that its edge cuts."""
        tile = self.architecture.tile
        device = next(self.network.parameters()).device
        cuts = [to_tensor(cut(image_HWC, left, top, tile)).to(device) for left, top in places]
        parts = []
        for (left, top), found in zip(places, self.network(cuts), strict=True):
            part = {name: found[name].cpu() for name in _NAMES}
            part["boxes"] = part["boxes"] + torch.tensor([left, top, left, top])
            shared, size = tile * self.architecture.overlap, image_HWC.shape[:2]
            whole = ~is_cut(part["boxes"], (left, top), tile, shared, size)
            parts.append({name: values[whole] for name, values in part.items()})
        return parts

    def counted(self, found: list[Found]) -> tuple[Lesion, ...]:
        """Those finds that are likely enough to count."""
        return tuple(each.lesion for each in found if each.score >= self.thresholds[each.lesion.kind])


_NAMES = ("boxes", "scores", "labels")


def load_detector(checkpoint: Checkpoint, device: str = "cpu") -> Detector:
    """The detector of a checkpoint that train-detector wrote. Raises BrokenArtefact."""
    hint = "Give one that train-detector wrote."
    with checkpoint.opened_as("detector", "a lesion detector", hint) as card:
        architecture = Architecture.from_card(card.architecture)
        thresholds = {kind: float(card.notes["thresholds"][kind]) for kind in card.classes}
        network = build(architecture, card.classes)
        network.load_state_dict(checkpoint.tensors())
    return Detector(network.to(device).eval(), architecture, card.classes, thresholds)


def cut(image_HWC: Pixels, left: int, top: int, tile: int) -> Pixels:
    """A square of the picture; beyond its edges black."""
    import numpy as np

    part_HWC = image_HWC[top : top + tile, left : left + tile]
    if part_HWC.shape[:2] == (tile, tile):
        return part_HWC
    square_HWC: Any = np.zeros((tile, tile, 3), np.uint8)
    square_HWC[: part_HWC.shape[0], : part_HWC.shape[1]] = part_HWC
    return square_HWC


def to_tensor(image_HWC: Pixels) -> Tensor:
    """[C, H, W] in 0..1."""
    return torch.tensor(image_HWC).permute(2, 0, 1).float() / 255
