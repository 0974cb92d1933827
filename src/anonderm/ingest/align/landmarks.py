"""Eyes and mouth of the faces in a photo, by dlib or by a user's own network, an ONNX file.

The network's only input is an upright face, float32 [1, 3, S, S], RGB from 0 to 1. Its first output holds
points, float32 [1, K, 2] or [1, 2 K], as shares of the input's width and height: K = 5 (left eye, right eye,
nose, left and right corner of the mouth, as they appear in the picture) or the 68 of iBUG. dlib detects the
faces.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.affine import map_points
from anonderm.core.errors import InputError
from anonderm.core.images import Pixels
from anonderm.core.onnx import OnnxNetwork
from anonderm.embeddings.dlib_faces import DlibFace, DlibFaces, eyes_and_mouth
from anonderm.ingest.align.framing import FacePoints, Square, cut, face_points

_WIDENED = 1.3  # side of the network's input, in sides of dlib's box


Landmarker = Callable[[Pixels], list[FacePoints]]
"""uint8 RGB [H, W, 3] -> every face, the largest first, in pixels of the photo."""


def landmarker(model: Path | None = None, every: bool = False) -> Landmarker:
    """dlib's five points, or those of a user's model; `every` also finds small faces beside a large one.

    Raises MissingExtra, MissingPath, or InputError (not a model, or one of other than 5 or 68 points).
    """
    if model is not None and model.suffix.lower() == ".onnx":
        return OnnxLandmarker(model, every)
    faces = DlibFaces(model, every)
    return lambda photo_HWC: [points_of(face.points_N2) for face in faces.find(photo_HWC)]


class OnnxLandmarker:
    """Raises MissingExtra, MissingPath or InputError (not a network of this form)."""

    def __init__(self, path: Path, every: bool = False) -> None:
        self._network = OnnxNetwork(path, "Give an ONNX file of a network that predicts facial landmarks.")
        shape = self._network.shape
        if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or not isinstance(shape[2], int):
            raise InputError(
                f"{path}: its input has the shape {shape}.", "It must be [1, 3, S, S], S a number."
            )
        self._faces = DlibFaces(every=every)

    def __call__(self, photo_HWC: Pixels) -> list[FacePoints]:
        return [self._refined(photo_HWC, face) for face in self._faces.find(photo_HWC)]

    def _refined(self, photo_HWC: Pixels, face: DlibFace) -> FacePoints:
        size = int(self._network.shape[2])
        square = _around(face)
        picture_SSC = cut(photo_HWC, square, size).astype(np.float32) / 255
        picture_13SS: NDArray[Any] = picture_SSC.transpose(2, 0, 1)[None]
        output = self._network(picture_13SS).astype(float)
        if output.size not in (10, 136) or not np.isfinite(output).all():
            raise InputError(
                f"{self._network.path}: returns {output.shape}, or numbers that are not finite.",
                "It must return 5 or 68 points, [1, K, 2].",
            )
        back = np.linalg.inv(np.vstack([square.onto(size), (0, 0, 1)]))[:2]
        points_K2 = map_points(output.reshape(-1, 2) * size, back)
        if len(points_K2) == 5:
            return face_points(points_K2[0], points_K2[1], (points_K2[3] + points_K2[4]) / 2)
        return points_of(points_K2)


def _around(face: DlibFace) -> Square:
    left, top, right, bottom = face.box_4
    points = from_five(face.points_N2)
    across_2 = np.subtract(points.right_eye, points.left_eye)
    half_2 = across_2 / np.hypot(*across_2) * max(right - left, bottom - top) * _WIDENED / 2
    return Square(((left + right) / 2, (top + bottom) / 2), (float(half_2[0]), float(half_2[1])))


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
