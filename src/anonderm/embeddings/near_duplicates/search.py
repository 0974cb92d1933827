"""Copies of a picture among photos: resized, recompressed, slightly cropped or mirrored.

Pairs whose thumbnails correlate are registered and compared place by place.
"""

# N photos, T x T pixels of a kept thumbnail, P x P of its parts that are compared, D = P * P,
# S x S pixels of the pictures that are registered

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from anonderm.core.images import LUMINANCE, Pixels
from anonderm.core.parallel import in_threads
from anonderm.core.progress import Bar

Crop = tuple[float, float, float, float]  # shares cut off at left, top, right and bottom

THUMBNAIL = 32
"""T: side, in pixels, of the thumbnails by which copies are found."""

_SIDE = 16  # P
_BLOCK = 256  # photos that are compared with all others at a time
_ALIKE = 0.95  # correlation from which two photos are registered and compared

_LARGE = 128  # S
_BLOCKS = 8  # a side
_STEPS = 30  # of the registration
# Measured on copies and on other photos of the same people in the same studio (docs/decisions.md).
_CORRELATION = 0.98  # at least, of the whole picture
_WORST_BLOCK = 0.12  # at most: the difference there, in standard deviations of the picture

# What is cropped at left, top, right and bottom; other crops are close enough to one of these.
_ONE_SIDE = (0.04, 0.08)
_CROPS: tuple[Crop, ...] = (
    *((share, share, share, share) for share in (0.0, 0.03, 0.06, 0.09)),
    *((share, 0.0, 0.0, 0.0) for share in _ONE_SIDE),
    *((0.0, share, 0.0, 0.0) for share in _ONE_SIDE),
    *((0.0, 0.0, share, 0.0) for share in _ONE_SIDE),
    *((0.0, 0.0, 0.0, share) for share in _ONE_SIDE),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Photo `part` may be the part `crop` of photo `whole`, mirrored or not."""

    part: int
    whole: int
    crop: Crop
    mirrored: bool


def thumbnail(picture_HWC: Pixels) -> NDArray[np.uint8]:
    """Grey averages [T, T] of equal parts, whatever the shape of the picture."""
    import cv2

    grey_HW = cv2.cvtColor(np.ascontiguousarray(picture_HWC), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey_HW, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA))


def groups_of_copies(
    thumbnails_NTT: NDArray[np.uint8], picture: Callable[[int], Pixels], bar: Bar | None = None
) -> list[list[int]]:
    """Groups of two and more photos that are copies of one picture, by index.

    picture: reads a photo. The bar advances by one a photo. Raises what `picture` raises.
    """
    from scipy.cluster.hierarchy import DisjointSet

    candidates = _candidates(thumbnails_NTT, bar)

    @lru_cache(maxsize=1024)
    def grey(index: int) -> NDArray[np.float32]:
        return _small_grey(picture(index))

    def confirmed(pair: Candidate) -> bool:
        return _same_picture(grey(pair.part), grey(pair.whole), pair.crop, pair.mirrored)

    groups = DisjointSet(range(len(thumbnails_NTT)))
    for pair, is_copy in zip(candidates, in_threads(confirmed, candidates), strict=True):
        if is_copy:
            groups.merge(pair.part, pair.whole)
    return sorted(sorted(group) for group in groups.subsets() if len(group) > 1)


def _candidates(thumbnails_NTT: NDArray[np.uint8], bar: Bar | None) -> list[Candidate]:
    """For every two photos that correlate, the crop and side that do so most."""
    base_ND = _pictures(thumbnails_NTT, _CROPS[0], mirrored=False)
    best: dict[tuple[int, int], tuple[float, Candidate]] = {}
    for start in range(0, len(thumbnails_NTT), _BLOCK):
        block_BTT = thumbnails_NTT[start : start + _BLOCK]
        for crop, mirrored in itertools.product(_CROPS, (False, True)):
            alike_NB = base_ND @ _pictures(block_BTT, crop, mirrored).T
            for row, column in np.argwhere(alike_NB > _ALIKE):
                part, whole, score = int(row), start + int(column), float(alike_NB[row, column])
                pair = (min(part, whole), max(part, whole))
                if part != whole and score > best.get(pair, (0.0,))[0]:
                    best[pair] = (score, Candidate(part, whole, crop, mirrored))
        if bar is not None:
            bar.advance(len(block_BTT))
    return [candidate for _, candidate in best.values()]


def _pictures(thumbnails_NTT: NDArray[np.uint8], crop: Crop, mirrored: bool) -> NDArray[np.float32]:
    """Parts of thumbnails, averaged to P x P, with mean 0 and length 1: products of two are correlations."""
    left, top, right, bottom = crop
    across_PT, down_PT = _averaging(left, 1 - right), _averaging(top, 1 - bottom)
    if mirrored:
        across_PT = across_PT[::-1]
    small_NPP = down_PT @ thumbnails_NTT.astype(np.float32) @ across_PT.T
    rows_ND = small_NPP.reshape(len(small_NPP), -1)
    rows_ND = rows_ND - rows_ND.mean(axis=1, keepdims=True)
    return np.asarray(rows_ND / np.maximum(np.linalg.norm(rows_ND, axis=1, keepdims=True), 1e-3))


def _averaging(low: float, high: float) -> NDArray[np.float32]:
    """The matrix [P, T] that averages P equal pieces of a line from `low` to `high` (shares)."""
    edges = np.linspace(low, high, _SIDE + 1) * THUMBNAIL
    pixels_T = np.arange(THUMBNAIL)
    inside = np.minimum(edges[1:, None], pixels_T + 1) - np.maximum(edges[:-1, None], pixels_T)
    overlap_PT = np.maximum(0, inside)
    return (overlap_PT / overlap_PT.sum(axis=1, keepdims=True)).astype(np.float32)


def _small_grey(picture_HWC: Pixels) -> NDArray[np.float32]:
    """Luminance [S, S], 0 to 255, slightly blurred."""
    import cv2

    small_SSC = cv2.resize(picture_HWC, (_LARGE, _LARGE), interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small_SSC @ LUMINANCE, (0, 0), 1.0))


def _same_picture(
    part_SS: NDArray[np.float32], whole_SS: NDArray[np.float32], crop: Crop, mirrored: bool
) -> bool:
    """Whether `part` is `whole`, cropped about as in `crop`, and perhaps resized, recompressed or brightened.

    Two photos of one sitting are not copies: something has moved somewhere.
    """
    import cv2

    if mirrored:
        part_SS = np.ascontiguousarray(part_SS[:, ::-1])
    left, top, right, bottom = crop
    start = np.array([[1 - left - right, 0, left * _LARGE], [0, 1 - top - bottom, top * _LARGE]], np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, _STEPS, 1e-4)
    try:
        correlation, warp = cv2.findTransformECC(part_SS, whole_SS, start, cv2.MOTION_AFFINE, stop)
    except cv2.error:  # the registration did not converge
        return False
    if correlation < _CORRELATION:
        return False
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    registered_SS = cv2.warpAffine(whole_SS, warp, (_LARGE, _LARGE), flags=flags, borderValue=(np.nan,))
    return _worst_block(part_SS, np.asarray(registered_SS, np.float32)) < _WORST_BLOCK


def _worst_block(one_SS: NDArray[np.float32], other_SS: NDArray[np.float32]) -> float:
    """The largest root-mean-square difference of a block, in standard deviations of the picture.

    Brightness and contrast are fitted first. NaN in `other_SS` marks what lies outside of it.
    """
    inside_SS = np.isfinite(other_SS)
    slope, offset = np.polyfit(other_SS[inside_SS], one_SS[inside_SS], 1)
    rest_SS = np.where(inside_SS, one_SS - slope * other_SS - offset, 0)
    step = _LARGE // _BLOCKS
    blocks = (rest_SS**2).reshape(_BLOCKS, step, _BLOCKS, step).mean(axis=(1, 3))
    return float(np.sqrt(blocks.max()) / one_SS[inside_SS].std())
