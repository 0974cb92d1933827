"""One photo -> the pictures of its faces; runs in each worker process."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.core.affine import map_known_lesions
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, encode_png, resize_mask
from anonderm.core.records import Face
from anonderm.ingest.align.framing import (
    FacePoints,
    Square,
    centre_square,
    cut,
    cut_mask,
    distance_outside,
    ffhq_square,
    whole_square,
)
from anonderm.ingest.align.landmarks import Landmarker, landmarker
from anonderm.ingest.config import AlignConfig

Mask = NDArray[np.bool_] | None

# Distance between the eyes, in distances from eyes to mouth, of a face turned by about 60 degrees.
_PROFILE = 0.5


@dataclass(frozen=True, slots=True)
class Task:
    """A photo of a FaceSet, and the faces in it that are marked by hand."""

    photos: Path
    face: Face
    marked: tuple[FacePoints, ...] = ()


@dataclass(frozen=True, slots=True)
class CutFace:
    """The row and picture of a face, and its `points` if it was aligned.

    outside: the share of the picture outside the photo. lost: how many lesions of the photo it does not show.
    """

    face: Face
    png: bytes
    mask_HW: Mask
    points: FacePoints | None
    outside: float
    lost: int


@dataclass(frozen=True, slots=True)
class Result:
    """The faces cut from a photo (none if it is skipped), and how many were found."""

    photo: str
    cuts: tuple[CutFace, ...]
    found: int
    reason: str = ""


class Cutter:
    """Cuts the faces out of photos; models are loaded when first needed."""

    def __init__(self, config: AlignConfig) -> None:
        import cv2

        cv2.setNumThreads(1)  # photos are distributed over processes
        self._config = config

    def __call__(self, task: Task) -> Result:
        """Raises MissingExtra, MissingWeights, MissingPath, UnreadableImage or InputError."""
        photos = FaceSet(task.photos, (task.face,))
        photo_HWC = photos.image(task.face)
        height, width = photo_HWC.shape[:2]
        mask_HW = resize_mask(photos.mask(task.face), width, height) if task.face.mask else None
        found = task.marked or tuple(self._landmarker(photo_HWC))
        good = tuple(points for points in found if task.marked or not _in_profile(points))
        if not good:
            reason = "seen from the side" if found else "no face found"
            return self._fallback(task.face, photo_HWC, mask_HW, reason, len(found))
        wanted = good if self._config.several == "all" else good[:1]
        cuts = tuple(
            self._cut(_row(task.face, number, len(wanted)), photo_HWC, mask_HW, ffhq_square(points), points)
            for number, points in enumerate(wanted, start=1)
        )
        return Result(task.face.id, cuts, len(found))

    @cached_property
    def _landmarker(self) -> Landmarker:
        return landmarker(self._config.detector, self._config.model, self._config.several == "all")

    def _fallback(self, face: Face, photo_HWC: Pixels, mask_HW: Mask, reason: str, found: int) -> Result:
        if self._config.fallback == "skip":
            return Result(face.id, (), found, reason)
        height, width = photo_HWC.shape[:2]
        chosen = whole_square if self._config.fallback == "keep" else centre_square
        return Result(face.id, (self._cut(face, photo_HWC, mask_HW, chosen(width, height)),), found, reason)

    def _cut(
        self, face: Face, photo_HWC: Pixels, mask_HW: Mask, square: Square, points: FacePoints | None = None
    ) -> CutFace:
        size, framing = self._config.size, "ffhq" if points else self._config.fallback
        picture_HWC = cut(photo_HWC, square, size)
        lesions, lost = map_known_lesions(face.lesions, square.onto(size), (size, size))
        outside = float((distance_outside(photo_HWC.shape, square, size) > 0).mean())
        row = dataclasses.replace(face.with_lesions(lesions), framing=framing)
        mask = None if mask_HW is None else cut_mask(mask_HW, square, size)
        return CutFace(row, encode_png(picture_HWC), mask, points, outside, lost)


def _in_profile(points: FacePoints) -> bool:
    left_2, right_2, mouth_2 = points.points_32
    across, down = np.hypot(*(right_2 - left_2)), np.hypot(*((left_2 + right_2) / 2 - mouth_2))
    return bool(across < _PROFILE * down)


def _row(face: Face, number: int, count: int) -> Face:
    """The row of the largest face (1) or of another, who is an unknown person.

    Of several faces, any may be the one with the lesion types that are known without boxes.
    """
    if count > 1 and face.lesions is None:
        face = dataclasses.replace(face, lesion_types=None)
    return (
        face
        if number == 1
        else dataclasses.replace(face, id=f"{face.id}-{number}", subject=None, identified_by=None)
    )
