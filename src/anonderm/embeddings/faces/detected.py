"""A detected face, the interface of detectors, and the search through sizes and rotations of a photo."""

# H x W pixels, C channels, N landmarks

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from anonderm.core.affine import map_points
from anonderm.core.images import Pixels

Points = NDArray[np.float64]
Box = tuple[float, float, float, float]

_MAX_ENLARGEMENT = 2.0
_MIN_INSIDE = 0.35


@dataclass(frozen=True)
class DetectedFace:
    """A face in pixels of the photo, as the detector of this name found it.

    Left and right are those of the picture in which the face is upright. box_4: left, top, right, bottom.
    certain: the score is one that false detections do not reach. eyes_and_mouth_32: left eye, right eye,
    middle of the mouth. five_52: left eye, right eye, tip of the nose, left and right corner of the mouth;
    None where the detector does not give them. points_N2: the detector's own landmarks.
    """

    detector: str
    box_4: Box
    score: float
    certain: bool
    eyes_and_mouth_32: Points
    five_52: Points | None
    points_N2: Points


class Detector(Protocol):
    def find(self, photo_HWC: Pixels) -> list[DetectedFace]:
        """All faces, the largest first, in a photo uint8 RGB [H, W, 3]."""


class Found(NamedTuple):
    """A detection: the detector's landmarks and box (left, top, right, bottom) in pixels, and its score."""

    points_N2: Points
    box_4: Box
    score: float


class Try(NamedTuple):
    """A copy of a photo: longest side in pixels, quarter turns to the left, smallest score accepted.

    border: width of a border that mirrors the photo, in longest sides. It completes a face that the photo
    cuts near its middle; of what is found, at least _MIN_INSIDE of the box must be in the photo.
    """

    side: int
    turns: int
    least: float
    border: float = 0.0


def search(
    photo_HWC: Pixels,
    tries: Iterable[Try],
    certain: float,
    detect: Callable[[Pixels, float], Iterable[Found]],
) -> list[Found]:
    """The faces of the first try with a certain one, or else of the try with the highest score.

    The largest first, in pixels of the photo; one whose landmarks all coincide is no face. detect: finds the
    upright faces of a picture, down to a score.
    """
    best: list[Found] = []
    for each in tries:
        small_HWC, scale = _at_side(photo_HWC, each.side)
        bordered_HWC, width = _bordered(small_HWC, each.border)
        turned_HWC = np.ascontiguousarray(np.rot90(bordered_HWC, each.turns))
        back = rotated_back(turned_HWC.shape, each.turns)
        back[:, 2] -= width
        there = (_mapped(face, back / scale) for face in detect(turned_HWC, each.least))
        found = [
            face
            for face in there
            if np.ptp(face.points_N2, axis=0).any()
            and (not width or _inside(face.box_4, photo_HWC) >= _MIN_INSIDE)
        ]
        best = max(best, found, key=lambda faces: max((face.score for face in faces), default=-np.inf))
        if any(face.score >= certain for face in best):
            break
    return sorted(best, key=lambda face: face.box_4[0] - face.box_4[2])


def rotated_back(shape: tuple[int, ...], turns: int) -> NDArray[np.float64]:
    """The map from a picture of this shape, rotated by numpy.rot90, back to the original."""
    height, width = shape[:2]
    maps = (
        [[1, 0, 0], [0, 1, 0]],
        [[0, -1, height], [1, 0, 0]],
        [[-1, 0, width], [0, -1, height]],
        [[0, 1, 0], [-1, 0, width]],
    )
    return np.array(maps[turns], float)


def _bordered(photo_HWC: Pixels, share: float) -> tuple[Pixels, int]:
    """The photo with a mirrored border of this share of its longest side, and the width of the border."""
    import cv2

    width = round(share * max(photo_HWC.shape[:2]))
    if not width:
        return photo_HWC, 0
    bordered = cv2.copyMakeBorder(photo_HWC, width, width, width, width, cv2.BORDER_REFLECT)
    return np.asarray(bordered), width


def _inside(box_4: Box, photo_HWC: Pixels) -> float:
    """The share of a box that lies in the photo."""
    left, top, right, bottom = box_4
    height, width = photo_HWC.shape[:2]
    across = max(0.0, min(right, width) - max(left, 0.0))
    down = max(0.0, min(bottom, height) - max(top, 0.0))
    return across * down / max((right - left) * (bottom - top), 1e-9)


def _mapped(found: Found, back: NDArray[np.float64]) -> Found:
    corners_22 = np.array([found.box_4[:2], found.box_4[2:]], float)
    low_2, high_2 = np.sort(map_points(corners_22, back), axis=0).tolist()
    return Found(map_points(found.points_N2, back), (*low_2, *high_2), found.score)


def _at_side(photo_HWC: Pixels, side: int) -> tuple[Pixels, float]:
    """The photo with its longest side at `side` pixels, or enlarged as far as allowed, and the scale."""
    import cv2

    height, width = photo_HWC.shape[:2]
    scale = min(side / max(height, width), _MAX_ENLARGEMENT)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(photo_HWC, size, interpolation=how)), scale
