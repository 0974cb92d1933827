"""Copies of a picture that are not the same file: resized, recompressed, slightly cropped or mirrored."""

# N photos, T x T pixels of a kept thumbnail, P x P of the pictures that are compared, D = P * P

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from anonderm.core.progress import Bar
from anonderm.core.threads import in_order
from anonderm.ingest.checks import THUMBNAIL, Check
from anonderm.ingest.same_picture import Crop, same_picture, small_grey

_SIDE = 16  # P
_BLOCK = 256  # photos that are compared with all others at a time
_ALIKE = 0.95  # correlation of pictures that are then looked at closely

# What a crop may have taken from left, top, right and bottom; a copy cropped otherwise is still near to one.
_UNCUT: Crop = (0.0, 0.0, 0.0, 0.0)
_EVENLY = (0.0, 0.03, 0.06, 0.09)
_ONE_SIDE = (0.04, 0.08)
_CROPS: tuple[Crop, ...] = (
    *((share, share, share, share) for share in _EVENLY),
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


def copies(checks: Sequence[Check], bar: Bar | None = None) -> list[list[Check]]:
    """Groups of two and more photos that are copies of one picture, the largest of each group first.

    Every photo is compared with every other as a thumbnail, the alike then closely. The bar advances by one a
    photo. Raises MissingPath or UnreadableImage for a photo that has gone since it was checked.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    found = _candidates(np.stack([check.thumbnail_TT for check in checks]), bar) if checks else []

    @lru_cache(maxsize=1024)
    def grey(index: int) -> NDArray[np.float32]:
        return small_grey(checks[index].photo)

    def confirmed(pair: Candidate) -> bool:
        return same_picture(grey(pair.part), grey(pair.whole), pair.crop, pair.mirrored)

    same = [pair for pair, good in zip(found, in_order(confirmed, found), strict=True) if good]
    ends = ([pair.part for pair in same], [pair.whole for pair in same])
    graph = coo_array((np.ones(len(same)), ends), shape=(len(checks), len(checks)))
    _, group_N = connected_components(graph, directed=False)
    together: dict[int, list[Check]] = {}
    for group, check in zip(group_N, checks, strict=True):
        together.setdefault(int(group), []).append(check)
    return [
        sorted(group, key=lambda check: -check.width * check.height)
        for group in together.values()
        if len(group) > 1
    ]


def _candidates(thumbnails_NTT: NDArray[np.uint8], bar: Bar | None) -> list[Candidate]:
    """The best guess for every two photos that are alike."""
    base_ND = _pictures(thumbnails_NTT, _UNCUT, mirrored=False)
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
    """Parts of thumbnails, averaged to P x P, of mean 0 and length 1: products of two are correlations."""
    left, top, right, bottom = crop
    across_PT, down_PT = _averaging(left, 1 - right), _averaging(top, 1 - bottom)
    if mirrored:
        across_PT = across_PT[::-1]
    small_NPP = down_PT @ thumbnails_NTT.astype(np.float32) @ across_PT.T
    rows_ND = small_NPP.reshape(len(small_NPP), -1)
    rows_ND = rows_ND - rows_ND.mean(axis=1, keepdims=True)
    return np.asarray(rows_ND / np.maximum(np.linalg.norm(rows_ND, axis=1, keepdims=True), 1e-3))


def _averaging(low: float, high: float) -> NDArray[np.float32]:
    """The matrix [P, T] that averages the part of a line from `low` to `high` (shares) in P equal pieces."""
    edges = np.linspace(low, high, _SIDE + 1) * THUMBNAIL
    pixels_T = np.arange(THUMBNAIL)
    inside = np.minimum(edges[1:, None], pixels_T + 1) - np.maximum(edges[:-1, None], pixels_T)
    overlap_PT = np.maximum(0, inside)
    return (overlap_PT / overlap_PT.sum(axis=1, keepdims=True)).astype(np.float32)
