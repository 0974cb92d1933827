"""The contrast of lesions with the surrounding skin, before and after restoration.

H x W pixels; colours are CIELab, in which a difference of about 2 is just visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from anonderm.core.images import Pixels
from anonderm.core.records import Lesion

_RING = 1.8  # outer size of the ring, in boxes
_MIN_PIXELS = 4  # inside and around
FAINTEST = 2.0  # colour difference below which there is no contrast to lose

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, slots=True)
class Contrast:
    """The colour difference between a lesion and its surroundings in each picture.

    `kept` is the share of the first difference that the second still shows in the same direction: 1 is
    unchanged, 0 is wiped out, below 0 is inverted. Without it, `not_measured` is the reason.
    """

    before: float | None = None
    after: float | None = None
    kept: float | None = None
    not_measured: str = ""


def lab(image_HWC: Pixels) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(image_HWC.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)


def differences(
    image_HWC: Pixels, lesions: Sequence[Lesion], skin_HW: Mask | None
) -> list[NDArray[np.float64] | None]:
    """For each lesion, the median Lab colour inside minus that of the ring around it; None for too few
    pixels.

    Inside is the ellipse that fills the box. The ring excludes the boxes of other lesions and, if `skin_HW`
    is known, everything but skin. Medians are robust to hairs, highlights and boxes that are drawn too large.
    """
    colours_HWC = lab(image_HWC)
    free_HW = np.ones(image_HWC.shape[:2], bool) if skin_HW is None else skin_HW.copy()
    for lesion in lesions:
        free_HW[_pixels(lesion, 1.0, free_HW.shape)] = False
    return [_difference(colours_HWC, free_HW, skin_HW, lesion) for lesion in lesions]


def _difference(
    colours_HWC: NDArray[np.float32], free_HW: Mask, skin_HW: Mask | None, lesion: Lesion
) -> NDArray[np.float64] | None:
    part = _pixels(lesion, _RING, free_HW.shape)
    rows, columns = (np.arange(each.start, each.stop) + 0.5 for each in part)
    across = (columns - lesion.centre[0]) / max(lesion.width / 2, 0.5)
    down = (rows - lesion.centre[1]) / max(lesion.height / 2, 0.5)
    inside = across[None, :] ** 2 + down[:, None] ** 2 <= 1
    if skin_HW is not None:
        inside &= skin_HW[part]
    around = free_HW[part]
    if min(inside.sum(), around.sum()) < _MIN_PIXELS:
        return None
    colours = colours_HWC[part]
    return np.median(colours[inside], axis=0).astype(float) - np.median(colours[around], axis=0)


def _pixels(lesion: Lesion, factor: float, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns that a box touches, enlarged about its centre, within the picture."""

    def along(low: float, high: float, size: int) -> slice:
        centre, half = (low + high) / 2, factor * (high - low) / 2
        return slice(max(0, int(np.floor(centre - half))), min(size, int(np.ceil(centre + half))))

    return along(lesion.y0, lesion.y1, shape[0]), along(lesion.x0, lesion.x1, shape[1])


def compare(before: NDArray[np.float64] | None, after: NDArray[np.float64] | None) -> Contrast:
    """How much of the colour difference of one lesion is kept."""
    if before is None or after is None:
        return Contrast(not_measured="too small")
    strength = float(np.linalg.norm(before))
    shown = float(np.linalg.norm(after))
    if strength < FAINTEST:
        return Contrast(strength, shown, not_measured="too faint")
    return Contrast(strength, shown, float(before @ after) / strength**2)
