"""Training tiles: which part of which face a step sees, mirrored, zoomed and in other light."""

# C channels, H x W pixels

from __future__ import annotations

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
from anonderm.models.lesion_detector.predict import cut, to_tensor

_CACHED_BYTES = 2**31


class Pictures:
    """The images of some faces; as many as fit into 2 GiB are read from disk only once."""

    def __init__(self, faces: FaceSet) -> None:
        self.faces = faces
        self._kept: dict[str, Pixels] = {}
        self._room = _CACHED_BYTES

    def image(self, face: Face) -> Pixels:
        if face.id in self._kept:
            return self._kept[face.id]
        image_HWC = self.faces.image(face)
        if image_HWC.nbytes <= self._room:
            self._room -= image_HWC.nbytes
            self._kept[face.id] = image_HWC
        return image_HWC


class Tiles:
    """Draws training tiles; everything random comes from the generator that a step brings."""

    def __init__(self, config: TrainDetectorConfig, faces: FaceSet, tile: int, kinds: Sequence[str]) -> None:
        self._config, self._pictures, self._tile = config, Pictures(faces), tile
        self._labels = {kind: label for label, kind in enumerate(kinds, start=1)}
        self._all = faces.faces
        self._with_lesions = tuple(face for face in faces if face.lesions)

    def draw(self, count: int, generator: torch.Generator) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
        """Tiles [C, tile, tile] in 0..1, and the boxes and labels of the lesions on each."""
        rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
        drawn = [self._one(rng) for _ in range(count)]
        return [pixels for pixels, _ in drawn], [self._target(lesions) for _, lesions in drawn]

    def _one(self, rng: np.random.Generator) -> tuple[Tensor, tuple[Lesion, ...]]:
        near = rng.random() < self._config.near_lesions
        pool = self._with_lesions if near else self._all
        face = pool[rng.integers(len(pool))]
        image_HWC = self._pictures.image(face)
        low, high = (math.log(factor) for factor in self._config.scale)
        side = round(self._tile / math.exp(rng.uniform(low, high)))
        left, top = self._place(image_HWC, face, side, near, rng)
        part_HWC = cut(image_HWC, left, top, side)
        resized = Image.fromarray(part_HWC).resize((self._tile, self._tile), Image.Resampling.BILINEAR)
        affine = crop_and_scale(left, top, side, side, (self._tile, self._tile))
        lesions, _ = map_lesions(face.lesions, affine, (self._tile, self._tile))
        pixels_CHW = recolour(to_tensor(np.array(resized)), self._config.colour, rng)
        if self._config.flip and rng.random() < 0.5:
            return pixels_CHW.flip(2), tuple(_mirrored(lesion, self._tile) for lesion in lesions)
        return pixels_CHW, lesions

    @staticmethod
    def _place(
        image_HWC: Pixels, face: Face, side: int, near: bool, rng: np.random.Generator
    ) -> tuple[int, int]:
        """Left and top of a square inside the picture, around one of its lesions if `near`."""
        height, width = image_HWC.shape[:2]
        lesion = face.lesions[rng.integers(len(face.lesions))] if near else None
        ends = []
        for length, centre in ((width, "x"), (height, "y")):
            last = max(0, length - side)
            if lesion is None:
                ends.append(int(rng.integers(last + 1)))
            else:
                middle = (getattr(lesion, centre + "0") + getattr(lesion, centre + "1")) / 2
                ends.append(round(float(np.clip(middle - rng.uniform(0.1, 0.9) * side, 0, last))))
        return ends[0], ends[1]

    def _target(self, lesions: Sequence[Lesion]) -> dict[str, Tensor]:
        boxes = [(lesion.x0, lesion.y0, lesion.x1, lesion.y1) for lesion in lesions]
        return {
            "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor([self._labels[lesion.kind] for lesion in lesions], dtype=torch.int64),
        }


def recolour(pixels_CHW: Tensor, most: float, rng: np.random.Generator) -> Tensor:
    """Brightness, contrast and saturation each times 1 - most to 1 + most; stays in 0..1."""
    light, contrast, colour = rng.uniform(1 - most, 1 + most, 3).tolist()
    grey_1HW = torch.tensordot(torch.tensor(LUMINANCE), pixels_CHW, dims=1)[None]
    pixels_CHW = grey_1HW + colour * (pixels_CHW - grey_1HW)
    middle = float(grey_1HW.mean())
    return (light * (middle + contrast * (pixels_CHW - middle))).clamp(0, 1)


def _mirrored(lesion: Lesion, width: int) -> Lesion:
    return dataclasses.replace(lesion, x0=width - lesion.x1, x1=width - lesion.x0)
