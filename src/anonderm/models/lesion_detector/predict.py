"""Detection with a trained detector: checkpoint -> network -> boxes on a face."""

# N detections, C channels, H x W pixels

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.images import Pixels
from anonderm.core.records import Lesion
from anonderm.metrics.average_precision import Detection
from anonderm.models.lesion_detector.network import Architecture, build
from anonderm.models.lesion_detector.tiles import corners, is_cut

_NMS_IOU = 0.5
_TILES_PER_BATCH = 8
_FIELDS = ("boxes", "scores", "labels")


@dataclass(frozen=True)
class Detector:
    """A network, and for each kind the score from which a detection counts as a lesion."""

    network: nn.Module
    architecture: Architecture
    kinds: tuple[str, ...]
    thresholds: dict[str, float]

    def detect(self, image_HWC: Pixels) -> list[Detection]:
        """All detections on a uint8 face, highest score first, boxes in its pixels.

        Of two boxes of any kinds whose IoU exceeds 0.5, the one with the higher score stays.
        """
        from torchvision.ops import clip_boxes_to_image, nms

        self.network.eval()
        height, width = image_HWC.shape[:2]
        tiles = corners(height, width, self.architecture.tile, self.architecture.overlap)
        with torch.inference_mode():
            parts = [
                part
                for first in range(0, len(tiles), _TILES_PER_BATCH)
                for part in self._in_tiles(image_HWC, tiles[first : first + _TILES_PER_BATCH])
            ]
        boxes_N4, scores_N, labels_N = (torch.cat([part[name] for part in parts]) for name in _FIELDS)
        boxes_N4 = clip_boxes_to_image(boxes_N4, (height, width))
        rows = torch.nonzero(((boxes_N4[:, 2:] - boxes_N4[:, :2]) > 0).all(dim=1)).flatten()
        kept = rows[nms(boxes_N4[rows], scores_N[rows], _NMS_IOU)]
        columns = (each[kept].tolist() for each in (boxes_N4, scores_N, labels_N))
        return [
            Detection(Lesion(self.kinds[label - 1], *box), score)
            for box, score, label in zip(*columns, strict=True)
        ]

    def _in_tiles(self, image_HWC: Pixels, tiles: list[tuple[int, int]]) -> list[dict[str, Tensor]]:
        """Detections of each tile in pixels of the image, on the CPU, without those that its edge cuts."""
        tile, size = self.architecture.tile, image_HWC.shape[:2]
        device = next(self.network.parameters()).device
        inputs = [to_tensor(crop(image_HWC, left, top, tile)).to(device) for left, top in tiles]
        parts = []
        for (left, top), output in zip(tiles, self.network(inputs), strict=True):
            part = {name: output[name].cpu() for name in _FIELDS}
            part["boxes"] = part["boxes"] + torch.tensor([left, top, left, top])
            overlap_px = tile * self.architecture.overlap
            whole = ~is_cut(part["boxes"], (left, top), tile, overlap_px, size)
            parts.append({name: values[whole] for name, values in part.items()})
        return parts

    def above_threshold(self, detections: list[Detection]) -> tuple[Lesion, ...]:
        """The detections that count as lesions."""
        return tuple(each.lesion for each in detections if each.score >= self.thresholds[each.lesion.kind])


def load_detector(checkpoint: Checkpoint, device: str = "cpu") -> Detector:
    """The detector of a checkpoint from train-detector. Raises BrokenArtefact."""
    hint = "Give a checkpoint from train-detector."
    with checkpoint.opened_as("detector", "a lesion detector", hint) as card:
        architecture = Architecture.from_card(card.architecture)
        thresholds = {kind: float(card.notes["thresholds"][kind]) for kind in card.classes}
        network = build(architecture, card.classes)
        network.load_state_dict(checkpoint.tensors())
    return Detector(network.to(device).eval(), architecture, card.classes, thresholds)


def crop(image_HWC: Pixels, left: int, top: int, side: int) -> Pixels:
    """A square of the image, black beyond its edges."""
    part_HWC = image_HWC[top : top + side, left : left + side]
    height, width = part_HWC.shape[:2]
    padded: Any = np.pad(part_HWC, ((0, side - height), (0, side - width), (0, 0)))
    return padded


def to_tensor(image_HWC: Pixels) -> Tensor:
    """[C, H, W] in 0..1."""
    return torch.tensor(image_HWC).permute(2, 0, 1).float() / 255
