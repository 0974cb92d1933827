"""Eyes and mouth on a photo: one interface, and dlib's points behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from anonderm.core.dlib_faces import DlibFaces
from anonderm.core.errors import ConfigError, InputError
from anonderm.core.images import Pixels
from anonderm.ingest.align.framing import FacePoints

# Five points have the corners of the eyes and the nose base, but neither lids nor mouth. Measured on the 30
# people of the Face Research Lab London Set, as shares of the distance between the eyes (docs/decisions.md):
_EYE_RISE = 0.016  # an eye outline's mean lies this much above the middle of its corners
_MOUTH_FROM_EYES = 0.68  # the mouth lies below the eyes by this share of their distance ...
_MOUTH_FROM_NOSE = 0.49  # ... and by this share of how far the nose base lies below them
_MOUTH_ASIDE = 0.28  # on a turned head the mouth follows the nose aside by this share
_NOSE_DEPTH = 0.4  # a head turned by the angle a shows the nose base aside by sin(a) of this


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
    """Eyes and mouth from the corners of the eyes and the nose base.

    The mouth is a guess, right to 0.08 of the distance between the eyes (root mean square). It only sets the
    size of long or turned faces, and a tenth of it moves the crop. What a turned head takes from the distance
    between the eyes is given back from how far its nose lies aside.
    """
    left_2, right_2 = points_52[2:4].mean(axis=0), points_52[:2].mean(axis=0)
    middle_2, across_2 = (left_2 + right_2) / 2, right_2 - left_2
    distance = float(np.hypot(*across_2))
    if distance == 0:
        return face_points(left_2, right_2, points_52[4])
    across_2 = across_2 / distance
    down_2 = np.array([-across_2[1], across_2[0]])
    aside, below = float((points_52[4] - middle_2) @ across_2), float((points_52[4] - middle_2) @ down_2)
    unturned = float(np.hypot(distance, aside / _NOSE_DEPTH))
    mouth_down = _MOUTH_FROM_EYES * unturned + _MOUTH_FROM_NOSE * below
    rise_2 = -_EYE_RISE * distance * down_2
    mouth_2 = middle_2 + mouth_down * down_2 + _MOUTH_ASIDE * aside * across_2
    return face_points(left_2 + rise_2, right_2 + rise_2, mouth_2)


def face_points(*points_2: NDArray[np.float64]) -> FacePoints:
    left, right, mouth = ((float(x), float(y)) for x, y in points_2)
    return FacePoints(left, right, mouth)
