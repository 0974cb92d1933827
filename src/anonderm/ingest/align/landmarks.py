"""Eyes and mouth of the faces in a photo, by a detector or by a user's own network, an ONNX file.

The network's only input is an upright face, float32 [1, 3, S, S], RGB from 0 to 1. Its first output holds
points, float32 [1, K, 2] or [1, 2 K], as shares of the input's width and height: K = 5 (left eye, right eye,
nose, left and right corner of the mouth, as they appear in the picture) or the 68 of iBUG. dlib detects the
faces.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from anonderm.core.affine import map_points
from anonderm.core.errors import InputError
from anonderm.core.images import Pixels
from anonderm.core.onnx import OnnxNetwork
from anonderm.embeddings.faces.detected import DetectedFace, Points
from anonderm.embeddings.faces.detectors import DetectorName, detector
from anonderm.embeddings.faces.dlib_detector import DlibFaces, five_of_68
from anonderm.ingest.align.framing import FacePoints, Square, cut, face_points

_WIDENED = 1.3  # side of the network's input, in sides of dlib's box


Landmarker = Callable[[Pixels], list[FacePoints]]
"""uint8 RGB [H, W, 3] -> every face, the largest first, in pixels of the photo."""


def landmarker(
    name: Literal["auto"] | DetectorName = "auto", model: Path | None = None, every: bool = False
) -> Landmarker:
    """The points of the detector of this name, or those of a user's model on the faces that dlib finds.

    every: also finds small faces beside a large one. Raises MissingExtra, MissingWeights, MissingPath, or
    InputError (not a model, or one of other than 5 or 68 points).
    """
    if model is not None and model.suffix.lower() == ".onnx":
        return OnnxLandmarker(model, every)
    finder = detector(name, every=every) if model is None else DlibFaces(model, every)
    return lambda photo_HWC: [_points(face) for face in finder.find(photo_HWC)]


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

    def _refined(self, photo_HWC: Pixels, face: DetectedFace) -> FacePoints:
        size = int(self._network.shape[2])
        square = _around(face)
        picture_SSC = cut(photo_HWC, square, size)
        shares_13SS = (picture_SSC.transpose(2, 0, 1)[None] / 255).astype(np.float32)
        output = self._network(shares_13SS).astype(float)
        if output.size not in (10, 136) or not np.isfinite(output).all():
            raise InputError(
                f"{self._network.path}: returns {output.shape}, or numbers that are not finite.",
                "It must return 5 or 68 points, [1, K, 2].",
            )
        back = np.linalg.inv(np.vstack([square.onto(size), (0, 0, 1)]))[:2]
        return _of_model(map_points(output.reshape(-1, 2) * size, back), face.detector)


def _points(face: DetectedFace) -> FacePoints:
    return face_points(*face.eyes_and_mouth_32, found_by=face.detector)


def _of_model(points_K2: Points, found_by: str) -> FacePoints:
    five_52 = points_K2 if len(points_K2) == 5 else five_of_68(points_K2)
    return face_points(*five_52[:2], five_52[3:].mean(axis=0), found_by=found_by)


def _around(face: DetectedFace) -> Square:
    left, top, right, bottom = face.box_4
    points = _points(face)
    across_2 = np.subtract(points.right_eye, points.left_eye)
    half_2 = across_2 / np.hypot(*across_2) * max(right - left, bottom - top) * _WIDENED / 2
    return Square(((left + right) / 2, (top + bottom) / 2), (float(half_2[0]), float(half_2[1])))
