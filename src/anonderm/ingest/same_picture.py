"""Whether two photos are copies of one picture: laid upon each other and compared place by place."""

# S x S pixels

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anonderm.core.images import LUMINANCE
from anonderm.ingest.sources.photo import Photo

Crop = tuple[float, float, float, float]  # shares cut off at left, top, right and bottom

_SIDE = 128  # S
_BLOCKS = 8  # a side
_STEPS = 30  # of the search for how the two lie upon each other
# Measured on copies and on other photos of the same people in the same studio (docs/decisions.md).
_CORRELATION = 0.98  # at least, of the whole picture
_WORST_BLOCK = 0.12  # at most, of what differs there, in standard deviations of the picture


def small_grey(photo: Photo) -> NDArray[np.float32]:
    """The photo as float32 [S, S], 0 to 255. Raises MissingPath or UnreadableImage."""
    import cv2

    small_SSC = cv2.resize(photo.pixels(), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small_SSC @ LUMINANCE, (0, 0), 1.0))


def same_picture(
    part_SS: NDArray[np.float32], whole_SS: NDArray[np.float32], crop: Crop, mirrored: bool
) -> bool:
    """Whether `part` is `whole`, cut off about as `crop` says, resized, recompressed, brightened or mirrored.

    Two photos taken one after the other are not: something has moved somewhere.
    """
    import cv2

    if mirrored:
        part_SS = np.ascontiguousarray(part_SS[:, ::-1])
    left, top, right, bottom = crop
    start = np.array([[1 - left - right, 0, left * _SIDE], [0, 1 - top - bottom, top * _SIDE]], np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, 1e-4)
    try:
        correlation, warp = cv2.findTransformECC(part_SS, whole_SS, start, cv2.MOTION_AFFINE, stop)
    except cv2.error:  # it found no way to lay them upon each other
        return False
    if correlation < _CORRELATION:
        return False
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    laid_SS = cv2.warpAffine(whole_SS, warp, (_SIDE, _SIDE), flags=flags, borderValue=(np.nan,))
    return _worst_block(part_SS, np.asarray(laid_SS, np.float32)) < _WORST_BLOCK


def _worst_block(one_SS: NDArray[np.float32], other_SS: NDArray[np.float32]) -> float:
    """The largest difference of a block (root mean square), in deviations of the picture.

    Brightness and contrast are fitted first; what is NaN in `other_SS` lies outside of it.
    """
    seen_SS = np.isfinite(other_SS)
    slope, offset = np.polyfit(other_SS[seen_SS], one_SS[seen_SS], 1)
    left_SS = np.where(seen_SS, one_SS - slope * other_SS - offset, 0)
    step = _SIDE // _BLOCKS
    blocks = (left_SS**2).reshape(_BLOCKS, step, _BLOCKS, step).mean(axis=(1, 3))
    return float(np.sqrt(blocks.max()) / one_SS[seen_SS].std())
