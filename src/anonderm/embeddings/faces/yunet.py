"""Face detection and five landmarks by YuNet (Wu et al. 2023), as OpenCV runs it."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from anonderm.core.errors import InputError
from anonderm.core.images import Pixels
from anonderm.embeddings.faces.detected import DetectedFace, Found, Try, search

# It was trained on faces of 10 to 300 pixels in pictures of 640. A face that fills its photo is found in the
# smaller copy, a small face in the larger one. The publishers' threshold is 0.9; lower scores, as faces seen
# from the side or cut by the edge have, count where no copy of the photo has a better one.
_CERTAIN = 0.9
_UNCERTAIN = 0.6
_TRIES = (
    Try(640, 0, _UNCERTAIN),
    Try(320, 0, _UNCERTAIN),
    Try(1280, 0, _UNCERTAIN),
    Try(640, 1, _CERTAIN),
    Try(640, 3, _CERTAIN),
    Try(640, 2, _CERTAIN),
)
_PARTS = Try(320, 0, _CERTAIN, border=0.5)
_OVERLAP, _MOST = 0.3, 5000  # the publishers' non-maximum suppression


class YuNet:
    """every, parts: as in detectors.detector.

    Raises InputError if the file is not a network of this kind.
    """

    def __init__(self, path: Path, every: bool = False, parts: bool = False) -> None:
        tries = (_TRIES[2], *_TRIES[:2], *_TRIES[3:]) if every else _TRIES
        self._tries = (*tries, *([_PARTS] if parts else []))
        try:
            self._network = cv2.FaceDetectorYN.create(str(path), "", (320, 320), _CERTAIN, _OVERLAP, _MOST)
        except cv2.error as error:
            raise InputError(f"{path}: OpenCV cannot read it as YuNet ({error.err}).") from error

    def find(self, photo_HWC: Pixels) -> list[DetectedFace]:
        """See Detector."""
        return [_detected(found) for found in search(photo_HWC, self._tries, _CERTAIN, self._detect)]

    def _detect(self, picture_HWC: Pixels, least: float) -> Iterator[Found]:
        self._network.setInputSize((picture_HWC.shape[1], picture_HWC.shape[0]))
        self._network.setScoreThreshold(least)
        _, rows = self._network.detect(np.ascontiguousarray(picture_HWC[:, :, ::-1]))  # OpenCV's order: BGR
        for row in () if rows is None else np.asarray(rows, float):
            left, top, width, height = row[:4].tolist()
            points_52 = row[4:14].reshape(5, 2) + 0.5
            yield Found(points_52, (left, top, left + width, top + height), float(row[14]))


def _detected(found: Found) -> DetectedFace:
    """YuNet begins with the person's right eye, which is on the left of the picture: the order is ours."""
    five_52 = found.points_N2
    eyes_and_mouth_32 = np.stack([five_52[0], five_52[1], five_52[3:].mean(axis=0)])
    certain = found.score >= _CERTAIN
    return DetectedFace("yunet", found.box_4, found.score, certain, eyes_and_mouth_32, five_52, five_52)
