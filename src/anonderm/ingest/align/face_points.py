"""The eyes and the mouth of a face, from the points that landmark models give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import InputError
from anonderm.embeddings.dlib_faces import eyes_and_mouth

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class FacePoints:
    """Eyes and mouth of a face; left and right refer to the upright picture.

    The point of an eye is the mean of its outline, that of the mouth the middle between its corners.
    """

    left_eye: Point
    right_eye: Point
    mouth: Point

    @property
    def points_32(self) -> NDArray[np.float64]:
        return np.array([self.left_eye, self.right_eye, self.mouth], float)


def points_of(points_N2: NDArray[np.float64]) -> FacePoints:
    """Eyes and mouth from dlib's 5 or the iBUG scheme's 68 points. Raises InputError for any other number."""
    match len(points_N2):
        case 5:
            return from_five(points_N2)
        case 68:
            left_2, right_2 = points_N2[36:42].mean(axis=0), points_N2[42:48].mean(axis=0)
            return face_points(left_2, right_2, (points_N2[48] + points_N2[54]) / 2)
        case count:
            raise InputError(f"the predictor returns {count} points; 5 or 68 are supported.")


def from_five(points_52: NDArray[np.float64]) -> FacePoints:
    """Eyes and mouth from dlib's five points.

    The mouth is estimated; it only affects the size of long or turned faces, and a tenth of it the centre.
    """
    return face_points(*eyes_and_mouth(points_52))


def face_points(*points_2: NDArray[np.float64]) -> FacePoints:
    left, right, mouth = ((float(x), float(y)) for x, y in points_2)
    return FacePoints(left, right, mouth)
