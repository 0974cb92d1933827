"""SFace (Zhong et al. 2021) as a matcher, as OpenCV runs it: weights `sface` of the OpenCV Zoo."""

# C channels, S x S pixels, D features

from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from anonderm.core import weights
from anonderm.core.errors import InputError
from anonderm.core.files import sha256_bytes, sha256_file
from anonderm.core.images import Pixels
from anonderm.embeddings.faces.detectors import detector, detector_digest
from anonderm.embeddings.matchers.alignment import SIDE, cut
from anonderm.embeddings.matchers.matcher import Describer, IdentityMatcher

PUBLISHED = 1.128
"""OpenCV's threshold on the distance of rows of length 1; that on their cosine, 0.363, is the same."""


def sface_matcher() -> IdentityMatcher:
    """Raises MissingExtra (no face detector), MissingWeights, BrokenArtefact or InputError."""
    file = weights.locate("sface")
    width = len(SFace(file).describe_cut(np.zeros((SIDE, SIDE, 3), np.uint8)))
    digest = sha256_bytes(f"{sha256_file(file)} {detector_digest()}".encode())
    return IdentityMatcher("sface", digest, width, PUBLISHED, partial(_describer, file))


def _describer(file: Path) -> Describer:
    finder, network = detector(parts=True), SFace(file)

    def describe(photo_HWC: Pixels) -> tuple[NDArray[np.float32], str] | None:
        faces = finder.find(photo_HWC)
        return (network.describe_cut(cut(photo_HWC, faces[0])), faces[0].detector) if faces else None

    return describe


class SFace:
    """Raises InputError if the file is not a network of this kind."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._network = cv2.FaceRecognizerSF.create(str(path), "")
        except cv2.error as error:
            raise InputError(f"{path}: OpenCV cannot read it as SFace ({error.err}).") from error

    def describe_cut(self, face_SSC: Pixels) -> NDArray[np.float32]:
        """float32 [D] of length 1, from an aligned face uint8 RGB [112, 112, 3]."""
        row_D = np.asarray(
            self._network.feature(np.ascontiguousarray(face_SSC[:, :, ::-1])), np.float32
        ).ravel()
        return np.asarray(row_D / max(float(np.linalg.norm(row_D)), 1e-9))
