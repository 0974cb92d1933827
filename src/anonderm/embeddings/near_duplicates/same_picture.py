"""Whether two pictures are copies of one: registered, then compared place by place."""

# S x S pixels

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anonderm.core.images import LUMINANCE, Pixels

Crop = tuple[float, float, float, float]  # shares cut off at left, top, right and bottom

_SIDE = 128  # S
_BLOCKS = 8  # a side
_STEPS = 30  # of the registration
# Measured on copies and on other photos of the same people in the same studio (docs/decisions.md).
_CORRELATION = 0.98  # at least, of the whole picture
_WORST_BLOCK = 0.12  # at most: the difference there, in standard deviations of the picture


def small_grey(picture_HWC: Pixels) -> NDArray[np.float32]:
    """Luminance [S, S], 0 to 255, slightly blurred."""
    import cv2

    small_SSC = cv2.resize(picture_HWC, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small_SSC @ LUMINANCE, (0, 0), 1.0))


def same_picture(
    part_SS: NDArray[np.float32], whole_SS: NDArray[np.float32], crop: Crop, mirrored: bool
) -> bool:
    """Whether `part` is `whole`, cropped about as in `crop`, and perhaps resized, recompressed or brightened.

    Two photos of one sitting are not copies: something has moved somewhere.
    """
    import cv2

    if mirrored:
        part_SS = np.ascontiguousarray(part_SS[:, ::-1])
    left, top, right, bottom = crop
    start = np.array([[1 - left - right, 0, left * _SIDE], [0, 1 - top - bottom, top * _SIDE]], np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, 1e-4)
    try:
        correlation, warp = cv2.findTransformECC(part_SS, whole_SS, start, cv2.MOTION_AFFINE, stop)
    except cv2.error:  # the registration did not converge
        return False
    if correlation < _CORRELATION:
        return False
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    registered_SS = cv2.warpAffine(whole_SS, warp, (_SIDE, _SIDE), flags=flags, borderValue=(np.nan,))
    return _worst_block(part_SS, np.asarray(registered_SS, np.float32)) < _WORST_BLOCK


def _worst_block(one_SS: NDArray[np.float32], other_SS: NDArray[np.float32]) -> float:
    """The largest root-mean-square difference of a block, in standard deviations of the picture.

    Brightness and contrast are fitted first. NaN in `other_SS` marks what lies outside of it.
    """
    inside_SS = np.isfinite(other_SS)
    slope, offset = np.polyfit(other_SS[inside_SS], one_SS[inside_SS], 1)
    rest_SS = np.where(inside_SS, one_SS - slope * other_SS - offset, 0)
    step = _SIDE // _BLOCKS
    blocks = (rest_SS**2).reshape(_BLOCKS, step, _BLOCKS, step).mean(axis=(1, 3))
    return float(np.sqrt(blocks.max()) / one_SS[inside_SS].std())
