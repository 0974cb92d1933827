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
from anonderm.core.errors import InputError
from anonderm.core.files import sha256_bytes, sha256_file
from anonderm.core.images import Pixels
from anonderm.core.onnx import OnnxNetwork
from anonderm.embeddings.faces.detectors import detector, detector_digest
from anonderm.embeddings.matchers.alignment import SIDE, cut
from anonderm.embeddings.matchers.matcher import Describer, IdentityMatcher

REGISTERED = "arcface-onnx"
PUBLISHED = 0.95
"""A threshold on the Euclidean distance of rows of length 1 (cosine 0.55). Networks of this format have no
common published one: that of the package DeepFace, 1.13, joined impostors (docs/lab-notes/people.md)."""


def arcface_matcher(source: str = REGISTERED) -> IdentityMatcher:
    """source: an ONNX file, or registered weights.

    Raises MissingExtra, MissingWeights or MissingPath, and InputError for a network with other inputs or
    outputs.
    """
    file = weights.find(source)
    width = len(ArcFace(file).describe_cut(np.zeros((SIDE, SIDE, 3), np.uint8)))
    digest = sha256_bytes(f"{sha256_file(file)} {detector_digest()}".encode())
    return IdentityMatcher("arcface", digest, width, PUBLISHED, partial(_describer, file))


def _describer(path: Path) -> Describer:
    finder, network = detector(parts=True), ArcFace(path)

    def describe(photo_HWC: Pixels) -> tuple[NDArray[np.float32], str] | None:
        faces = finder.find(photo_HWC)
        return (network.describe_cut(cut(photo_HWC, faces[0])), faces[0].detector) if faces else None

    return describe


class ArcFace:
    """Raises MissingExtra, MissingPath or InputError."""

    def __init__(self, path: Path) -> None:
        self._network = OnnxNetwork(path, "Give an ArcFace-style network as an ONNX file.")
        if self._network.shape[1:] != [3, SIDE, SIDE]:
            raise InputError(
                f"{path}: its input has the shape {self._network.shape}.",
                f"It must be [N, 3, {SIDE}, {SIDE}], as ArcFace's is.",
            )

    def describe_cut(self, face_SSC: Pixels) -> NDArray[np.float32]:
        """float32 [D] of length 1, from an aligned face uint8 RGB [112, 112, 3]."""
        picture_1CSS = face_SSC.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1
        row_1D = np.asarray(self._network(picture_1CSS), np.float32)
        length = float(np.linalg.norm(row_1D))
        if row_1D.ndim != 2 or len(row_1D) != 1 or not np.isfinite(length):
            raise InputError(
                f"{self._network.path}: its output has the shape {row_1D.shape} or is not finite.",
                "It must be one finite row a face, [N, D].",
            )
        return np.asarray(row_1D[0] / max(length, 1e-9))
