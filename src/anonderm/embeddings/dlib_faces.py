"""Face detection, landmarks and identity descriptors by dlib.

Needs the extra `faces`: dlib, and the weights in face_recognition_models (public domain except the 68-point
predictor, which is only loaded if the user names its file).
"""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from anonderm.core.affine import map_points
from anonderm.core.errors import InputError, MissingExtra
from anonderm.core.files import sha256_bytes, sha256_file
from anonderm.core.images import Pixels
from anonderm.core.parallel import in_threads
from anonderm.core.progress import Bar
from anonderm.embeddings.store import Store, describe_each

FIVE_POINTS = "shape_predictor_5_face_landmarks.dat"
IDENTITY = "dlib_face_recognition_resnet_model_v1.dat"

# The detector finds faces of 80 pixels and more. On a photo shrunk to 480 it takes 28 ms and misses only
# small faces; then a larger copy is tried, then rotated copies, for phones that wrote a wrong EXIF rotation.
# Entries: longest side in pixels, quarter turns to the left, smallest score. The true faces of 48 portraits
# score 0.6 and more; mouths and hair in portraits upside down are detected with scores up to 0.33.
_CERTAIN = 0.5
_TRIES = ((480, 0, 0.0), (1280, 0, 0.0), (480, 1, _CERTAIN), (480, 3, _CERTAIN), (480, 2, _CERTAIN))
_MAX_ENLARGEMENT = 2.0
_CHIP = 150  # side of the identity network's input, in pixels
_CHIP_MARGIN = 0.25

# The five points are the corners of the eyes and the nose base, without lids or mouth. Measured on the 30
# people of the Face Research Lab London Set, as shares of the distance between the eyes (docs/decisions.md):
_EYE_RISE = 0.016  # the mean of an eye's outline is this far above the midpoint of its corners
_MOUTH_FROM_EYES = 0.68  # the mouth is below the eyes by this share of their distance ...
_MOUTH_FROM_NOSE = 0.49  # ... plus this share of the distance of the nose base below them
_MOUTH_ASIDE = 0.28  # on a turned head the mouth moves sideways by this share of the nose's displacement
_NOSE_DEPTH = 0.4  # on a head turned by the angle a, the nose base is displaced by sin(a) times this


@dataclass(frozen=True)
class DlibFace:
    """A detected face: its landmarks and box in pixels of the photo, and the detector's score (0 and more).

    points_N2: five (outer and inner corner of the eye on the right, of the eye on the left, nose base) or 68;
    right and left in the upright photo. box_4: left, top, right, bottom.
    """

    points_N2: NDArray[np.float64]
    box_4: tuple[float, float, float, float]
    score: float


class DlibFaces:
    """The detector, with the five-point predictor or the one in the file `predictor`.

    every: start with a large copy of each photo, to find small faces beside a large one; 0.2 s a photo.
    Raises MissingExtra, or InputError for a file that is not a shape predictor.
    """

    def __init__(self, predictor: Path | None = None, every: bool = False) -> None:
        self._tries = _TRIES[1:] if every else _TRIES
        self._dlib = load_dlib()
        self._detector = self._dlib.get_frontal_face_detector()
        path = predictor or model_path(FIVE_POINTS)
        try:
            self._predictor = self._dlib.shape_predictor(str(path))
        except RuntimeError as error:
            raise InputError(f"{path}: not a dlib shape predictor ({error}).") from error

    def find(self, photo_HWC: Pixels) -> list[DlibFace]:
        """All frontal faces, the largest first, in a photo uint8 RGB [H, W, 3].

        From the first try with a certain face, or else from the try with the highest score.
        """
        best: list[DlibFace] = []
        for side, turns, least in self._tries:
            found = self._detect(photo_HWC, side, turns, least)
            best = max(best, found, key=lambda faces: max((face.score for face in faces), default=-np.inf))
            if any(face.score >= _CERTAIN for face in best):
                break
        return sorted(best, key=lambda face: face.box_4[0] - face.box_4[2])

    def _detect(self, photo_HWC: Pixels, side: int, turns: int, least: float) -> list[DlibFace]:
        small_HWC, scale = _at_side(photo_HWC, side)
        turned_HWC = np.ascontiguousarray(np.rot90(small_HWC, turns))
        boxes, scores, _ = self._detector.run(turned_HWC, 0, least)
        back = _rotated_back(turned_HWC.shape, turns)
        faces = []
        for box, score in zip(boxes, scores, strict=True):
            shape = self._predictor(turned_HWC, box)
            points_N2 = np.array([(point.x, point.y) for point in shape.parts()], float) + 0.5
            corners_22 = np.array([(box.left(), box.top()), (box.right() + 1, box.bottom() + 1)], float)
            low_2, high_2 = np.sort(map_points(corners_22, back), axis=0) / scale
            faces.append(DlibFace(map_points(points_N2, back) / scale, (*low_2, *high_2), float(score)))
        return faces


class DlibPerson:
    """The published 128-d descriptor of the largest face of a photo.

    Two photos of one person usually lie closer than 0.6 (Euclidean). Raises MissingExtra.
    """

    def __init__(self) -> None:
        self._dlib, self._faces = load_dlib(), DlibFaces()
        self._network = self._dlib.face_recognition_model_v1(str(model_path(IDENTITY)))

    def __call__(self, photo_HWC: Pixels) -> NDArray[np.float32] | None:
        """float32 [128]; None where no face is found. About 0.12 s on one core."""
        faces = self._faces.find(photo_HWC)
        if not faces:
            return None
        dlib = self._dlib
        left, top, right, bottom = (round(side) for side in faces[0].box_4)
        points = dlib.points([dlib.point(round(x - 0.5), round(y - 0.5)) for x, y in faces[0].points_N2])
        shape = dlib.full_object_detection(dlib.rectangle(left, top, right, bottom), points)
        chip_HWC = dlib.get_face_chip(np.ascontiguousarray(photo_HWC), shape, _CHIP, _CHIP_MARGIN)
        return np.array(self._network.compute_face_descriptor(chip_HWC), np.float32)


class Picture(Protocol):
    """A photo, wherever it is stored. Both methods raise MissingPath or UnreadableImage."""

    def read(self) -> bytes: ...

    def pixels(self) -> Pixels: ...


def describe(photos: Sequence[Picture], bar: Bar) -> NDArray[np.float32]:
    """Descriptors [N, 128], NaN for a photo without a face; each is computed once, see store.py.

    Raises MissingExtra, MissingPath, UnreadableImage or ProcessLost.
    """
    keys = list(in_threads(lambda photo: sha256_bytes(photo.read()), photos))
    return describe_each(Store("dlib", dlib_digest(), (128,)), photos, keys, _describer, bar)


def _describer() -> Callable[[Picture], NDArray[np.float32] | None]:
    person = DlibPerson()
    return lambda photo: person(photo.pixels())


def eyes_and_mouth(points_52: NDArray[np.float64]) -> NDArray[np.float64]:
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


def require_dlib() -> None:
    """Raises MissingExtra where DlibPerson would."""
    load_dlib()
    for name in (FIVE_POINTS, IDENTITY):
        model_path(name)


def dlib_digest() -> str:
    """Changes when the values of DlibPerson could. Raises MissingExtra."""
    require_dlib()
    return sha256_bytes("".join(sha256_file(model_path(name)) for name in (FIVE_POINTS, IDENTITY)).encode())


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
        f"Face detection needs the package {package}.", "Install it with: pip install 'anonderm[faces]'"
    )


def _at_side(photo_HWC: Pixels, side: int) -> tuple[Pixels, float]:
    """The photo with its longest side at `side` pixels, or enlarged as far as allowed, and the scale."""
    import cv2

    height, width = photo_HWC.shape[:2]
    scale = min(side / max(height, width), _MAX_ENLARGEMENT)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(photo_HWC, size, interpolation=how)), scale


def _rotated_back(shape: tuple[int, ...], turns: int) -> NDArray[np.float64]:
    """The map from a picture of this shape, rotated by numpy.rot90, back to the original."""
    height, width = shape[:2]
    maps = (
        [[1, 0, 0], [0, 1, 0]],
        [[0, -1, height], [1, 0, 0]],
        [[-1, 0, width], [0, -1, height]],
        [[0, 1, 0], [-1, 0, width]],
    )
    return np.array(maps[turns], float)
