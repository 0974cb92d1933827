"""Landmarks of the faces in a photo: the common interface, and dlib behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from anonderm.core.errors import ConfigError
from anonderm.core.images import Pixels
from anonderm.embeddings.dlib_faces import DlibFaces
from anonderm.ingest.align.face_points import FacePoints, points_of
from anonderm.ingest.align.onnx_landmarks import OnnxLandmarker


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
        return OnnxLandmarker(model, every)
    raise ConfigError(f"model = {model}: must be a dlib predictor (.dat) or an ONNX file (.onnx).")


class DlibLandmarker:
    """Raises MissingExtra, or InputError for a predictor of other than 5 or 68 points."""

    def __init__(self, predictor: Path | None = None, every: bool = False) -> None:
        self._faces = DlibFaces(predictor, every)

    def __call__(self, photo_HWC: Pixels) -> list[FacePoints]:
        return [points_of(face.points_N2) for face in self._faces.find(photo_HWC)]
