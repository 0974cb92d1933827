"""Random alterations of photos that leave them recognisable, to calibrate matchers and as canaries."""

# H x W pixels, C channels

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import Pixels, resize
from anonderm.core.records import Face
from anonderm.core.results.verdict import COPIES
from anonderm.core.rundir import RunDir

Change = Callable[[Image.Image, np.random.Generator], Image.Image]

_CROP_SHARE = (0.02, 0.08)  # removed on every side
_JPEG_QUALITY = (40, 90)
_BRIGHTNESS, _CONTRAST, _SATURATION = (0.75, 1.3), (0.8, 1.2), (0.4, 1.5)
_CHANNEL = (0.9, 1.1)


def _crop(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    share = rng.uniform(*_CROP_SHARE)
    width, height = image.size
    box = (width * share, height * share, width * (1 - share), height * (1 - share))
    return image.resize(image.size, Image.Resampling.LANCZOS, box)


def _jpeg(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=int(rng.integers(*_JPEG_QUALITY, endpoint=True)))
    return Image.open(buffer, formats=("JPEG",)).convert("RGB")


def _recolour(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(*_BRIGHTNESS))
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(*_CONTRAST))
    image = ImageEnhance.Color(image).enhance(rng.uniform(*_SATURATION))
    factors_C = rng.uniform(*_CHANNEL, 3)
    return Image.fromarray(np.clip(np.asarray(image) * factors_C, 0, 255).astype(np.uint8))


# exact: none; flip: mirrored; crop: 2 to 8% removed on every side; jpeg: quality 40 to 90; recolour:
# brightness, contrast, saturation and colour balance.
_COPIES: dict[str, Change] = {
    "exact": lambda image, rng: image,
    "flip": lambda image, rng: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "crop": _crop,
    "jpeg": _jpeg,
    "recolour": _recolour,
}

BLENDS = {"blend75": 0.75, "blend50": 0.5, "blend25": 0.25}
"""Pixelwise blends with another face, and the share of the own face."""


def copy(face_HWC: Pixels, change: str, rng: np.random.Generator) -> Pixels:
    """The picture altered by one of COPIES, at the same size."""
    return np.asarray(_COPIES[change](Image.fromarray(face_HWC), rng))


def blend(face_HWC: Pixels, other_HWC: Pixels, change: str) -> Pixels:
    """Square pictures blended by one of BLENDS; the other is resized to the face."""
    share = BLENDS[change]
    other_HWC = resize(other_HWC, len(face_HWC))
    return np.asarray(np.rint(share * face_HWC.astype(np.float32) + (1 - share) * other_HWC), np.uint8)


def copies_of(faces: FaceSet, count: int, seed: int, folder: Path, run: RunDir) -> FaceSet:
    """Copies with all alterations but `exact`, of one face each of `count` people, for calibration.

    Rows are like those of canaries, with other faces and alterations for the same seed.
    """
    writer = FaceSetWriter(folder)
    chosen = one_face_each(faces, count, np.random.default_rng([seed, 2]))
    with run.bar("altering copies", len(chosen)) as bar:
        for number, face in enumerate(chosen):
            image_HWC = faces.image(face)
            for order, change in enumerate(COPIES[1:]):
                made = altered(face, change)
                if made.id not in writer.done:
                    rng = np.random.default_rng([seed, 3, number, order])
                    writer.add(copy(image_HWC, change, rng), made)
            bar.advance()
    return writer.finish()


def altered(face: Face, change: str) -> Face:
    return Face(f"{change}-{face.id}", label=change, subject=face.person, parents=(face.id,))


def one_face_each(faces: FaceSet, count: int, rng: np.random.Generator) -> list[Face]:
    people: dict[str, list[Face]] = {}
    for face in faces:
        people.setdefault(face.person, []).append(face)
    names = sorted(people)
    drawn = sorted(rng.permutation(len(names))[:count].tolist())
    return [people[names[index]][rng.integers(len(people[names[index]]))] for index in drawn]
