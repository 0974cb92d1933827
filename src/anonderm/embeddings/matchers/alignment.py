"""Faces aligned with the published template of ArcFace and SFace, 112 x 112 pixels."""

# N points, H x W pixels, C channels, S x S pixels of the aligned face

import numpy as np
from numpy.typing import NDArray

from anonderm.core.affine import Affine
from anonderm.core.errors import InputError
from anonderm.core.images import Pixels
from anonderm.embeddings.faces.detected import DetectedFace

SIDE = 112  # S
# Left eye, right eye, tip of the nose, left and right corner of the mouth, in pixels whose centres are whole
# numbers. Source: Deng et al. 2019 and their code; OpenCV's FaceRecognizerSF has the same.
TEMPLATE_52 = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
# Where the detector gives no nose tip and no corners of the mouth: the eyes and the middle of the mouth.
TEMPLATE_32 = np.stack([TEMPLATE_52[0], TEMPLATE_52[1], TEMPLATE_52[3:].mean(axis=0)])


def cut(photo_HWC: Pixels, face: DetectedFace) -> Pixels:
    """uint8 [112, 112, 3]: the face aligned with the template by all the points that the detector gives.

    A face much larger than 112 pixels is shrunk first, as warpAffine does not antialias.
    """
    import cv2

    if face.five_52 is not None:
        affine = similarity(face.five_52, TEMPLATE_52 + 0.5)
    else:
        affine = similarity(face.eyes_and_mouth_32, TEMPLATE_32 + 0.5)
    scale = float(np.hypot(*affine[:, 0]))
    source_HWC = np.ascontiguousarray(photo_HWC)
    if scale < 0.5:
        shrunk = tuple(max(1, round(length * 2 * scale)) for length in reversed(photo_HWC.shape[:2]))
        source_HWC = np.asarray(cv2.resize(source_HWC, shrunk, interpolation=cv2.INTER_AREA))
        affine = affine / np.array([shrunk[0] / photo_HWC.shape[1], shrunk[1] / photo_HWC.shape[0], 1.0])
    centred = affine.copy()
    centred[:, 2] += affine[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV's coordinates start at pixel centres
    return np.asarray(cv2.warpAffine(source_HWC, centred, (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.uint8)


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
