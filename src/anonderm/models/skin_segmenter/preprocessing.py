"""Photos and skin masks as inputs and labels of the network."""

# C channels, H x W pixels of a photo, S the side of the network's input

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels
from anonderm.core.records import Face
from anonderm.metrics.dice import IGNORED


def scaled(image_HWC: Pixels, width: int, height: int) -> Pixels:
    """Resampled with antialiasing, as in the community's face parsing."""
    if image_HWC.shape[:2] == (height, width):
        return image_HWC
    return np.asarray(Image.fromarray(image_HWC).resize((width, height), Image.Resampling.BILINEAR))


def load_pair(faces: FaceSet, face: Face, size: int) -> tuple[Pixels, NDArray[np.uint8]]:
    """A photo and its labels (0 background, 1 skin), fitted into a square: [S, S, 3] and [S, S].

    Outside a photo that is not square, the picture is black and the label IGNORED.
    """
    image_HWC, mask_HW = faces.image(face), faces.mask(face)
    scale = size / max(image_HWC.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image_HWC.shape[:2])
    top, left = (size - height) // 2, (size - width) // 2
    inside = (slice(top, top + height), slice(left, left + width))
    square_SSC, labels_SS = np.zeros((size, size, 3), np.uint8), np.full((size, size), IGNORED, np.uint8)
    square_SSC[inside] = scaled(image_HWC, width, height)
    labels_SS[inside] = scaled(mask_HW.astype(np.uint8) * 255, width, height) > 127
    return square_SSC, labels_SS
