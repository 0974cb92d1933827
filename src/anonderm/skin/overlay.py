"""A photo with its skin mask overlaid, for visual inspection."""

# H x W pixels of a photo, S pixels a side of the picture

from __future__ import annotations

import cv2
import numpy as np

from anonderm.core.images import Pixels
from anonderm.models.skin_segmenter.segment import Mask

_SIDE = 192
_OUTLINE = (0, 255, 120)


def overlay(image_HWC: Pixels, mask_HW: Mask, side: int = _SIDE) -> Pixels:
    """The photo fitted into a white square, dimmed outside the outlined skin: [S, S, 3]."""
    scale = side / max(mask_HW.shape)
    height, width = (max(1, round(length * scale)) for length in mask_HW.shape)
    small_HWC = cv2.resize(image_HWC, (width, height), interpolation=cv2.INTER_AREA)
    inside_HW = cv2.resize(mask_HW.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.5
    small_HWC[~inside_HW] = small_HWC[~inside_HW] // 2
    edge_HW = cv2.morphologyEx(inside_HW.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    small_HWC[edge_HW] = _OUTLINE
    square_SSC = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square_SSC[top : top + height, left : left + width] = small_HWC
    return square_SSC
