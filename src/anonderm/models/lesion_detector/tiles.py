"""Tiles and anchors: a detector is applied to overlapping tiles of a face, so that small lesions keep enough
pixels; their size and the anchors are fitted to the lesions of its training set.

Source: Akyon et al. 2022 (SAHI); the package of that name does far more than the two functions needed.
"""

# N boxes (x0, y0, x1, y1)

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from anonderm.core.records import Lesion

_EDGE_TOLERANCE_PX = 0.5
# Quantiles of the lesions' sides that become the anchors of each pyramid level. Most are on the finest level:
# on a coarse grid no anchor is near enough to a small lesion.
_QUANTILES = ((0.05, 0.3, 0.6), (0.8, 0.9, 0.95), (0.98, 0.99, 1.0))
_MIN_ANCHOR = 4.0
_SCALES = (0.25, 4.0)

Anchors = tuple[tuple[float, ...], ...]


def starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin along one side so that they cover it and neighbours share at least `overlap`."""
    if length <= tile:
        return [0]
    count = 1 + math.ceil((length - tile) / max(1.0, tile * (1 - overlap)))
    return [round(index * (length - tile) / (count - 1)) for index in range(count)]


def corners(height: int, width: int, tile: int, overlap: float) -> list[tuple[int, int]]:
    """Left and top of every tile of an image."""
    return [(left, top) for top in starts(height, tile, overlap) for left in starts(width, tile, overlap)]


def is_cut(
    boxes_N4: Tensor, corner: tuple[int, int], tile: int, overlap_px: float, size: tuple[int, int]
) -> Tensor:
    """Whether each box [N] is cut off at an inner edge of its tile and is whole in the neighbouring tile.

    boxes_N4: in pixels of the image, whose height and width are `size`; `corner`: left and top of the tile.
    A box is whole in the neighbour if it is smaller than the `overlap_px` pixels that they share.
    """
    (left, top), (height, width) = corner, size
    edges_4 = torch.tensor([left, top, left + tile, top + tile])
    inner_4 = torch.tensor([left > 0, top > 0, left + tile < width, top + tile < height])
    small_N2 = boxes_N4[:, 2:] - boxes_N4[:, :2] < overlap_px
    touching_N4 = ((boxes_N4 - edges_4).abs() < _EDGE_TOLERANCE_PX) & inner_4
    return (touching_N4 & small_N2.repeat(1, 2)).any(dim=1)


def fit_tiles_and_anchors(
    lesions: Iterable[Lesion], max_tile: int, size: int, lesion_size: float
) -> tuple[int, Anchors]:
    """The side of a tile so that resizing it to `size` scales the median lesion to `lesion_size` pixels.

    max_tile: the shorter side of the largest face. The anchors are quantiles of the lesions' sides, in pixels
    of the resized tile, for each pyramid level, finest first.
    """
    sides_N = np.sqrt([(each.x1 - each.x0) * (each.y1 - each.y0) for each in lesions])
    scale = float(np.clip(lesion_size / max(float(np.median(sides_N)), 1e-6), *_SCALES))
    tile = min(max_tile, round(size / scale))
    anchors = tuple(
        tuple(round(max(_MIN_ANCHOR, float(each)), 1) for each in np.quantile(sides_N * size / tile, level))
        for level in _QUANTILES
    )
    return tile, anchors
