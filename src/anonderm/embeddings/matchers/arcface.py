"""A user's ArcFace-style network as a matcher, from an ONNX file.

Input: faces of 112 x 112 pixels, float32 [N, 3, 112, 112] or [1, 3, 112, 112], RGB from -1 to 1. First
output: float32 [N, D]. The angle between rows measures the distance between faces.
"""

# N faces, C channels, S x S pixels, D features

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.core import weights
from anonderm.core.affine import Affine
from anonderm.core.errors import InputError
from anonderm.core.files import sha256_file
from anonderm.core.images import Pixels
from anonderm.core.onnx import OnnxNetwork
from anonderm.embeddings.dlib_faces import DlibFaces, eyes_and_mouth, load_dlib
from anonderm.embeddings.matchers.matcher import Describer, IdentityMatcher

_SIDE = 112  # S
# The eyes and the midpoint of the mouth's corners in the published five-point template (Deng et al. 2019 and
# their code), in pixels. The nose is not used: dlib's point is its base, the template's its tip.
_TEMPLATE_32 = np.array([[38.2946, 51.6963], [73.5318, 51.5014], [56.13955, 92.28475]])


def arcface_matcher(source: str = "arcface-onnx") -> IdentityMatcher:
    """source: an ONNX file, or registered weights.

    Raises MissingExtra, MissingWeights or MissingPath, and InputError for a network with other inputs or
    outputs.
    """
    load_dlib()
    file = weights.find(source)
    width = len(ArcFace(file).describe_cut(np.zeros((_SIDE, _SIDE, 3), np.uint8)))
    return IdentityMatcher("arcface", sha256_file(file), width, partial(_describer, file))


def _describer(path: Path) -> Describer:
    finder, network = DlibFaces(), ArcFace(path)

    def describe(face_HWC: Pixels) -> NDArray[np.float32] | None:
        found = finder.find(face_HWC)
        return network.describe_cut(cut(face_HWC, found[0].points_N2)) if found else None

    return describe


class ArcFace:
    """Raises MissingExtra, MissingPath or InputError."""

    def __init__(self, path: Path) -> None:
        self._network = OnnxNetwork(path, "Give an ArcFace-style network as an ONNX file.")
        if self._network.shape[1:] != [3, _SIDE, _SIDE]:
            raise InputError(
                f"{path}: its input has the shape {self._network.shape}.",
                f"It must be [N, 3, {_SIDE}, {_SIDE}], as ArcFace's is.",
            )

    def describe_cut(self, face_SSC: Pixels) -> NDArray[np.float32]:
        """float32 [D] of length 1, from an aligned face."""
        picture_1CSS = face_SSC.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        row_1D = np.asarray(self._network(picture_1CSS), np.float32)
        length = float(np.linalg.norm(row_1D))
        if row_1D.ndim != 2 or len(row_1D) != 1 or not np.isfinite(length):
            raise InputError(
                f"{self._network.path}: its output has the shape {row_1D.shape} or is not finite.",
                "It must be one finite row a face, [N, D].",
            )
        return np.asarray(row_1D[0] / max(length, 1e-9))


def cut(face_HWC: Pixels, points_52: NDArray[np.float64]) -> Pixels:
    """uint8 [112, 112, 3]: the face aligned with the template by dlib's five points."""
    import cv2

    affine = similarity(eyes_and_mouth(points_52), _TEMPLATE_32)
    scale = float(np.hypot(*affine[:, 0]))
    source_HWC = np.ascontiguousarray(face_HWC)
    if scale < 0.5:  # shrink first, as warpAffine does not antialias
        shrunk = (max(1, round(face_HWC.shape[1] * 2 * scale)), max(1, round(face_HWC.shape[0] * 2 * scale)))
        source_HWC = np.asarray(cv2.resize(source_HWC, shrunk, interpolation=cv2.INTER_AREA))
        affine = affine / np.array([shrunk[0] / face_HWC.shape[1], shrunk[1] / face_HWC.shape[0], 1.0])
    centred = affine.copy()
    centred[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV's coordinates start at pixel centres
    return np.asarray(cv2.warpAffine(source_HWC, centred, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR), np.uint8)


def similarity(from_N2: NDArray[np.float64], to_N2: NDArray[np.float64]) -> Affine:
    """The rotation, scale and translation that maps points onto others with least squares.

    Raises InputError where all points coincide. As complex numbers: to = a from + b.
    """
    source_N, target_N = from_N2 @ (1, 1j), to_N2 @ (1, 1j)
    centred_N = source_N - source_N.mean()
    spread = float(np.sum(np.abs(centred_N) ** 2))
    if spread == 0:
        raise InputError("all landmarks of a face coincide.")
    a = np.sum(np.conj(centred_N) * (target_N - target_N.mean())) / spread
    b = target_N.mean() - a * source_N.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])
