"""dlib's published 128-d descriptor as a matcher, aligned by dlib's own landmarks."""

import numpy as np
from numpy.typing import NDArray

from anonderm.core.files import sha256_bytes, sha256_file
from anonderm.core.images import Pixels
from anonderm.embeddings.faces.dlib_detector import FIVE_POINTS, DlibFaces, load_dlib, model_path
from anonderm.embeddings.matchers.matcher import IdentityMatcher

IDENTITY = "dlib_face_recognition_resnet_model_v1.dat"
PUBLISHED = 0.6
"""The threshold that dlib's author gives for its descriptor, whose rows do not have length 1."""

_CHIP = 150  # side of the identity network's input, in pixels
_CHIP_MARGIN = 0.25


def dlib_matcher() -> IdentityMatcher:
    """Raises MissingExtra."""
    load_dlib()
    files = [sha256_file(model_path(name)) for name in (FIVE_POINTS, IDENTITY)]
    return IdentityMatcher("dlib", sha256_bytes("".join(files).encode()), 128, PUBLISHED, DlibPerson)


class DlibPerson:
    """The descriptor of the largest face of a photo. Raises MissingExtra."""

    def __init__(self) -> None:
        self._dlib, self._faces = load_dlib(), DlibFaces()
        self._network = self._dlib.face_recognition_model_v1(str(model_path(IDENTITY)))

    def __call__(self, photo_HWC: Pixels) -> tuple[NDArray[np.float32], str] | None:
        """See Describer. About 0.12 s on one core."""
        faces = self._faces.find(photo_HWC)
        if not faces:
            return None
        dlib = self._dlib
        left, top, right, bottom = (round(side) for side in faces[0].box_4)
        points = dlib.points([dlib.point(round(x - 0.5), round(y - 0.5)) for x, y in faces[0].points_N2])
        shape = dlib.full_object_detection(dlib.rectangle(left, top, right, bottom), points)
        chip_HWC = dlib.get_face_chip(np.ascontiguousarray(photo_HWC), shape, _CHIP, _CHIP_MARGIN)
        return np.array(self._network.compute_face_descriptor(chip_HWC), np.float32), faces[0].detector
