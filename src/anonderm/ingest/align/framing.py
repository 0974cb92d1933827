"""Eyes and mouth of a face, squares on a photo, and the picture cut out along one."""

# H x W pixels, C channels, S side of the picture; coordinates along pixel edges, as in core/affine

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.affine import Affine
from anonderm.core.images import Pixels, resize

Point = tuple[float, float]

_BLURRED_FROM = 0.04  # distance from the photo where padding is fully blurred, in sides of the square
_BLUR = 0.02  # standard deviation of that blur, in sides of the square


@dataclass(frozen=True, slots=True)
class FacePoints:
    """Eyes and mouth of a face; left and right refer to the upright picture.

    The point of an eye is the mean of its outline, that of the mouth the middle between its corners.
    found_by: the detector, or hand.
    """

    left_eye: Point
    right_eye: Point
    mouth: Point
    found_by: str = "hand"

    @property
    def points_32(self) -> NDArray[np.float64]:
        return np.array([self.left_eye, self.right_eye, self.mouth], float)


def face_points(*points_2: NDArray[np.float64], found_by: str = "hand") -> FacePoints:
    left, right, mouth = ((float(x), float(y)) for x, y in points_2)
    return FacePoints(left, right, mouth, found_by)


@dataclass(frozen=True, slots=True)
class Square:
    """A square on a photo: its centre, and the vector from there to the middle of its right side."""

    centre: Point
    right: Point

    @property
    def side(self) -> float:
        return 2 * math.hypot(*self.right)

    def onto(self, size: int) -> Affine:
        """The affine map from the photo to a picture of size x size that shows this square."""
        scale = size / self.side
        cos, sin = (2 * component / self.side for component in self.right)
        turn_22 = scale * np.array([[cos, sin], [-sin, cos]])
        return np.column_stack([turn_22, size / 2 - turn_22 @ np.array(self.centre)])


def ffhq_square(points: FacePoints) -> Square:
    """The crop of the FFHQ data set. Source: Karras et al. 2018, appendix C.

    x = from eye to eye, y = from the mouth up to the middle of the eyes; centre = that middle - 0.1 y,
    side = max(4 |x|, 3.6 |y|), and the axis is x - rotate90(y), so that eyes and mouth both contribute.
    """
    left_2, right_2, mouth_2 = points.points_32
    eyes_2 = (left_2 + right_2) / 2
    x_2, y_2 = right_2 - left_2, eyes_2 - mouth_2
    side = max(4.0 * float(np.hypot(*x_2)), 3.6 * float(np.hypot(*y_2)))
    axis_2 = x_2 + np.array([-y_2[1], y_2[0]])
    half_2 = axis_2 / np.hypot(*axis_2) * side / 2
    centre_2 = eyes_2 - 0.1 * y_2
    return Square((float(centre_2[0]), float(centre_2[1])), (float(half_2[0]), float(half_2[1])))


def centre_square(width: int, height: int) -> Square:
    """The largest centred square of a photo."""
    return Square((width / 2, height / 2), (min(width, height) / 2, 0.0))


def whole_square(width: int, height: int) -> Square:
    """The smallest square around a photo."""
    return Square((width / 2, height / 2), (max(width, height) / 2, 0.0))


def cut(photo_HWC: Pixels, square: Square, size: int) -> Pixels:
    """The picture of a square, uint8 [S, S, 3]; outside the photo it is mirrored and blurred.

    The photo is first shrunk to about twice the target resolution, then rotated, then halved by Lanczos.
    """
    import cv2

    part_HWC, affine = _part(photo_HWC, square, 2 * size)
    double_HWC = cv2.warpAffine(
        part_HWC,
        _by_centres(affine),
        (2 * size, 2 * size),
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REFLECT,
    )
    picture_HWC = resize(np.asarray(double_HWC, np.uint8), size)
    outside_HW = distance_outside(photo_HWC.shape, square, size)
    return _blurred(picture_HWC, outside_HW) if outside_HW.any() else picture_HWC


def cut_mask(mask_HW: NDArray[np.bool_], square: Square, size: int) -> NDArray[np.bool_]:
    """The same square of a mask; False outside the photo."""
    import cv2

    part_HW, affine = _part(mask_HW.astype(np.uint8) * 255, square, size)
    picture_HW = cv2.warpAffine(part_HW, _by_centres(affine), (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray((picture_HW > 127) & (distance_outside(mask_HW.shape, square, size) == 0))


def distance_outside(shape: tuple[int, ...], square: Square, size: int) -> NDArray[np.float64]:
    """How far each pixel [S, S] of the picture lies outside a photo of this shape, in sides of the square."""
    height, width = shape[:2]
    reach = abs(square.right[0]) + abs(square.right[1])
    if all(reach <= c <= length - reach for c, length in zip(square.centre, (width, height), strict=True)):
        return np.zeros((size, size))
    steps_S = np.arange(size) + 0.5 - size / 2
    back_22 = np.linalg.inv(square.onto(size)[:, :2])
    x_HW = square.centre[0] + back_22[0, 0] * steps_S + back_22[0, 1] * steps_S[:, None]
    y_HW = square.centre[1] + back_22[1, 0] * steps_S + back_22[1, 1] * steps_S[:, None]
    over_HW = np.maximum(0, np.maximum(-x_HW, x_HW - width))
    under_HW = np.maximum(0, np.maximum(-y_HW, y_HW - height))
    return np.asarray(np.hypot(over_HW, under_HW) / square.side)


def _part(photo: NDArray[Any], square: Square, size: int) -> tuple[NDArray[Any], Affine]:
    """The part of a photo shown by a picture of size x size, shrunk if it has more pixels, and its map."""
    import cv2

    height, width = photo.shape[:2]
    reach = abs(square.right[0]) + abs(square.right[1]) + 2 * square.side / size
    left, right = _span(square.centre[0], reach, width)
    top, bottom = _span(square.centre[1], reach, height)
    part, affine = photo[top:bottom, left:right], square.onto(size).copy()
    affine[:, 2] += affine[:, :2] @ (left, top)
    shrink = size / square.side
    if shrink < 1:
        shape = (max(1, round((right - left) * shrink)), max(1, round((bottom - top) * shrink)))
        part = cv2.resize(part, shape, interpolation=cv2.INTER_AREA)
        affine[:, :2] *= ((right - left) / shape[0], (bottom - top) / shape[1])
    return np.ascontiguousarray(part), affine


def _span(centre: float, reach: float, length: int) -> tuple[int, int]:
    """The pixels from centre - reach to centre + reach, and those mirrored into that range at the edges."""
    low, high = centre - reach, centre + reach
    low, high = min(low, 2 * length - high), max(high, -low)
    return max(0, min(math.floor(low), length - 1)), min(length, max(1, math.ceil(high)))


def _by_centres(affine: Affine) -> Affine:
    """The same map for OpenCV, whose integer coordinates are the centres of pixels."""
    moved = affine.copy()
    moved[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5
    return moved


def _blurred(picture_HWC: Pixels, outside_HW: NDArray[np.float64]) -> Pixels:
    import cv2

    soft_HWC = cv2.GaussianBlur(picture_HWC, (0, 0), _BLUR * len(picture_HWC)).astype(np.float32)
    share_HW1 = np.clip(outside_HW / _BLURRED_FROM, 0, 1)[:, :, None].astype(np.float32)
    return np.asarray((picture_HWC + share_HW1 * (soft_HWC - picture_HWC) + 0.5).astype(np.uint8))
