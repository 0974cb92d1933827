"""Training tiles: random squares of random faces, mirrored, zoomed and with other colours."""

# C channels, H x W pixels

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from anonderm.classify.lesions.config import TrainDetectorConfig
from anonderm.core.affine import crop_and_scale, map_lesions
from anonderm.core.faceset import FaceSet
from anonderm.core.images import LUMINANCE, Pixels
from anonderm.core.records import Face, Lesion
from anonderm.models.lesion_detector.kinds import with_known_boxes
from anonderm.models.lesion_detector.predict import crop, to_tensor

_CACHE_BYTES = 2**31


class TileSampler:
    """Draws training tiles; all randomness comes from the generator of a step.

    Faces whose boxes are unknown are never drawn. Up to 2 GiB of images stay in memory.
    """

    def __init__(self, config: TrainDetectorConfig, faces: FaceSet, tile: int, kinds: Sequence[str]) -> None:
        self._config, self._faces, self._tile = config, with_known_boxes(faces, class_agnostic=False), tile
        self._images: dict[str, Pixels] = {}
        self._free = _CACHE_BYTES
        self._labels = {kind: label for label, kind in enumerate(kinds, start=1)}
        self._with_lesions = tuple(face for face in faces if face.lesions)

    def draw(self, count: int, generator: torch.Generator) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
        """Tiles [C, tile, tile] in 0..1, and the boxes and labels of the lesions on each."""
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        drawn = [self._draw_one(rng) for _ in range(count)]
        return [pixels for pixels, _ in drawn], [self._target(lesions) for _, lesions in drawn]

    def _draw_one(self, rng: np.random.Generator) -> tuple[Tensor, tuple[Lesion, ...]]:
        on_lesion = rng.random() < self._config.lesion_tile_share
        pool = self._with_lesions if on_lesion else self._faces.faces
        face = pool[rng.integers(len(pool))]
        image_HWC = self._image(face)
        low, high = (math.log(factor) for factor in self._config.scale)
        side = round(self._tile / math.exp(rng.uniform(low, high)))
        lesion = face.boxes[rng.integers(len(face.boxes))] if on_lesion else None
        left, top = _place(image_HWC, lesion, side, rng)
        tile_size = (self._tile, self._tile)
        resized = Image.fromarray(crop(image_HWC, left, top, side)).resize(
            tile_size, Image.Resampling.BILINEAR
        )
        lesions, _ = map_lesions(face.boxes, crop_and_scale(left, top, side, side, tile_size), tile_size)
        pixels_CHW = jitter_colour(to_tensor(np.array(resized)), self._config.colour_jitter, rng)
        if self._config.flip and rng.random() < 0.5:
            return pixels_CHW.flip(2), tuple(_mirrored(lesion, self._tile) for lesion in lesions)
        return pixels_CHW, lesions

    def _image(self, face: Face) -> Pixels:
        image_HWC = self._images.get(face.id)
        if image_HWC is None:
            image_HWC = self._faces.image(face)
            if image_HWC.nbytes <= self._free:
                self._free -= image_HWC.nbytes
                self._images[face.id] = image_HWC
        return image_HWC

    def _target(self, lesions: Sequence[Lesion]) -> dict[str, Tensor]:
        boxes = [(lesion.x0, lesion.y0, lesion.x1, lesion.y1) for lesion in lesions]
        return {
            "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor([self._labels[lesion.kind] for lesion in lesions], dtype=torch.int64),
        }


def _place(image_HWC: Pixels, lesion: Lesion | None, side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Left and top of a random square inside the image, around the lesion if there is one."""
    height, width = image_HWC.shape[:2]
    spans = ((lesion.x0, lesion.x1), (lesion.y0, lesion.y1)) if lesion else (None, None)
    corner = []
    for length, span in zip((width, height), spans, strict=True):
        last = max(0, length - side)
        if span is None:
            corner.append(int(rng.integers(last + 1)))
        else:
            start = sum(span) / 2 - rng.uniform(0.1, 0.9) * side
            corner.append(round(float(np.clip(start, 0, last))))
    return corner[0], corner[1]


def jitter_colour(pixels_CHW: Tensor, amount: float, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast and saturation each times 1 - amount to 1 + amount; stays in 0..1."""
    brightness, contrast, saturation = rng.uniform(1 - amount, 1 + amount, 3).tolist()
    grey_1HW = torch.tensordot(torch.tensor(LUMINANCE), pixels_CHW, dims=1)[None]
    pixels_CHW = grey_1HW + saturation * (pixels_CHW - grey_1HW)
    mean = float(grey_1HW.mean())
    return (brightness * (mean + contrast * (pixels_CHW - mean))).clamp(0, 1)


def _mirrored(lesion: Lesion, width: int) -> Lesion:
    return dataclasses.replace(lesion, x0=width - lesion.x1, x1=width - lesion.x0)
