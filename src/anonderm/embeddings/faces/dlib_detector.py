"""Face detection and landmarks by dlib.

Needs the extra `faces`: dlib, and the weights in face_recognition_models (public domain except the 68-point
predictor, which is only loaded if the user names its file).
"""

import importlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from anonderm.core.errors import InputError, MissingExtra
from anonderm.core.images import Pixels
from anonderm.embeddings.faces.detected import DetectedFace, Found, Points, Try, search

FIVE_POINTS = "shape_predictor_5_face_landmarks.dat"

# The detector finds faces of 80 pixels and more. On a photo shrunk to 480 it takes 28 ms and misses only
# small faces; then a larger copy is tried, then rotated copies, for phones that wrote a wrong EXIF rotation.
# The true faces of 48 portraits score 0.6 and more; mouths and hair in portraits upside down are detected
# with scores up to 0.33.
_CERTAIN = 0.5
_TRIES = (
    Try(480, 0, 0.0),
    Try(1280, 0, 0.0),
    Try(480, 1, _CERTAIN),
    Try(480, 3, _CERTAIN),
    Try(480, 2, _CERTAIN),
)
# Half faces of 30 people, cut near the nose, score 1.06 and more with a mirrored border; hair, clothes and
# cheeks of the same photos score below 0.3.
_PARTS = Try(320, 0, _CERTAIN, border=0.5)

# The five points are the corners of the eyes and the nose base, without lids or mouth. Measured on the 30
# people of the Face Research Lab London Set, as shares of the distance between the eyes (docs/decisions.md):
_EYE_RISE = 0.016  # the mean of an eye's outline is this far above the midpoint of its corners
_MOUTH_FROM_EYES = 0.68  # the mouth is below the eyes by this share of their distance ...
_MOUTH_FROM_NOSE = 0.49  # ... plus this share of the distance of the nose base below them
_MOUTH_ASIDE = 0.28  # on a turned head the mouth moves sideways by this share of the nose's displacement
_NOSE_DEPTH = 0.4  # on a head turned by the angle a, the nose base is displaced by sin(a) times this


class DlibFaces:
    """The detector, with the five-point predictor or the one in the file `predictor`.

    The five points: outer and inner corner of the eye on the right, of the eye on the left, nose base. A
    predictor of 68 gives those of iBUG. every: start with a large copy of each photo, to find small faces
    beside a large one; 0.2 s a photo. parts: also find a face of which the photo shows half; the points on
    the other half mirror those. Raises MissingExtra, or InputError for a file that is not a shape predictor.
    """

    def __init__(self, predictor: Path | None = None, every: bool = False, parts: bool = False) -> None:
        self._tries = (*(_TRIES[1:] if every else _TRIES), *([_PARTS] if parts else []))
        dlib = load_dlib()
        self._detector = dlib.get_frontal_face_detector()
        path = predictor or model_path(FIVE_POINTS)
        try:
            self._predictor = dlib.shape_predictor(str(path))
        except RuntimeError as error:
            raise InputError(f"{path}: not a dlib shape predictor ({error}).") from error

    def find(self, photo_HWC: Pixels) -> list[DetectedFace]:
        """See Detector; frontal faces. Raises InputError where the predictor's points are not 5 or 68."""
        return [_detected(found) for found in search(photo_HWC, self._tries, _CERTAIN, self._detect)]

    def _detect(self, picture_HWC: Pixels, least: float) -> Iterator[Found]:
        boxes, scores, _ = self._detector.run(picture_HWC, 0, least)
        for box, score in zip(boxes, scores, strict=True):
            shape = self._predictor(picture_HWC, box)
            points_N2 = np.array([(point.x, point.y) for point in shape.parts()], float) + 0.5
            yield Found(points_N2, (box.left(), box.top(), box.right() + 1, box.bottom() + 1), float(score))


def _detected(found: Found) -> DetectedFace:
    points_N2, five_52 = found.points_N2, None
    match len(points_N2):
        case 5:
            eyes_and_mouth_32 = eyes_and_mouth(points_N2)
        case 68:
            five_52 = five_of_68(points_N2)
            eyes_and_mouth_32 = np.stack([*five_52[:2], five_52[3:].mean(axis=0)])
        case count:
            raise InputError(f"the predictor returns {count} points; 5 or 68 are supported.")
    certain = found.score >= _CERTAIN
    return DetectedFace("dlib", found.box_4, found.score, certain, eyes_and_mouth_32, five_52, points_N2)


def five_of_68(points_682: Points) -> Points:
    """Eyes (the means of their outlines), tip of the nose and corners of the mouth, of iBUG's 68 points."""
    eyes = points_682[36:42].mean(axis=0), points_682[42:48].mean(axis=0)
    return np.stack([*eyes, *points_682[[30, 48, 54]]])


def eyes_and_mouth(points_52: Points) -> Points:
    """Left eye, right eye and centre of the mouth [3, 2], from the corners of the eyes and the nose base.

    The mouth is estimated, with an error of 0.08 of the distance between the eyes (root mean square). Where a
    turned head shortens that distance, it is corrected by the sideways displacement of the nose.
    """
    left_2, right_2 = points_52[2:4].mean(axis=0), points_52[:2].mean(axis=0)
    middle_2, across_2 = (left_2 + right_2) / 2, right_2 - left_2
    distance = float(np.hypot(*across_2))
    if distance == 0:
        return np.stack([left_2, right_2, points_52[4]])
    across_2 = across_2 / distance
    down_2 = np.array([-across_2[1], across_2[0]])
    aside, below = float((points_52[4] - middle_2) @ across_2), float((points_52[4] - middle_2) @ down_2)
    unturned = float(np.hypot(distance, aside / _NOSE_DEPTH))
    mouth_down = _MOUTH_FROM_EYES * unturned + _MOUTH_FROM_NOSE * below
    rise_2 = -_EYE_RISE * distance * down_2
    mouth_2 = middle_2 + mouth_down * down_2 + _MOUTH_ASIDE * aside * across_2
    return np.stack([left_2 + rise_2, right_2 + rise_2, mouth_2])


def load_dlib() -> Any:
    """The package dlib. Raises MissingExtra."""
    try:
        return importlib.import_module("dlib")
    except ModuleNotFoundError as error:
        raise _missing("dlib") from error


def model_path(name: str) -> Path:
    """A file of face_recognition_models, which is not imported: its import fails with recent setuptools.

    Raises MissingExtra.
    """
    spec = importlib.util.find_spec("face_recognition_models")
    for folder in (spec and spec.submodule_search_locations) or ():
        if (Path(folder) / "models" / name).exists():
            return Path(folder) / "models" / name
    raise _missing("face_recognition_models")


def _missing(package: str) -> MissingExtra:
    return MissingExtra(
        f"Face detection by dlib needs the package {package}.",
        "Install it with: pip install 'anonderm[faces]'",
    )
