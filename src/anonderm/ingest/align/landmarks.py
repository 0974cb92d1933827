"""Eyes and mouth on a photo: one interface, and dlib's points behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import ConfigError, InputError
from anonderm.core.images import Pixels
from anonderm.embeddings.dlib_faces import DlibFaces, eyes_and_mouth
from anonderm.ingest.align.framing import FacePoints


class Landmarker(Protocol):
    """Finds the faces of a photo."""

    def __call__(self, photo_HWC: Pixels) -> list[FacePoints]:
        """Every face, the largest first, in pixels of the photo; uint8 RGB [H, W, 3]."""


def landmarker(model: Path | None, every: bool = False) -> Landmarker:
    """dlib's five points, or those of a user's model; `every` also finds small faces beside a large one.

    Raises MissingExtra, MissingPath, InputError (not a model) or ConfigError (another kind of file).
    """
    if model is None or model.suffix == ".dat":
        return DlibLandmarker(model, every)
    if model.suffix == ".onnx":
        from anonderm.ingest.align.onnx_points import OnnxLandmarker

        return OnnxLandmarker(model, every)
    raise ConfigError(f"model = {model}: must be a dlib predictor (.dat) or an ONNX file (.onnx).")


class DlibLandmarker:
    """Raises MissingExtra, or InputError for a predictor of other than 5 or 68 points."""

    def __init__(self, predictor: Path | None = None, every: bool = False) -> None:
        self._faces = DlibFaces(predictor, every)

    def __call__(self, photo_HWC: Pixels) -> list[FacePoints]:
        return [points_of(face.points_N2) for face in self._faces.find(photo_HWC)]


def points_of(points_N2: NDArray[np.float64]) -> FacePoints:
    """Eyes and mouth from dlib's 5 or the usual 68 points. Raises InputError for any other number."""
    match len(points_N2):
        case 5:
            return from_five(points_N2)
        case 68:
            left_2, right_2 = points_N2[36:42].mean(axis=0), points_N2[42:48].mean(axis=0)
            return face_points(left_2, right_2, (points_N2[48] + points_N2[54]) / 2)
        case count:
            raise InputError(f"the predictor gives {count} points; 5 or 68 are known.")


def from_five(points_52: NDArray[np.float64]) -> FacePoints:
    """Eyes and mouth from dlib's five points.

    The mouth, a guess, only sets the size of long or turned faces, and a tenth of it moves the crop.
    """
    return face_points(*eyes_and_mouth(points_52))


def face_points(*points_2: NDArray[np.float64]) -> FacePoints:
    left, right, mouth = ((float(x), float(y)) for x, y in points_2)
    return FacePoints(left, right, mouth)
