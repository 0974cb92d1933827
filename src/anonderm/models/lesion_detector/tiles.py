"""Tiling: a detector is applied to overlapping tiles of a face, so that small lesions keep enough pixels.

Source: Akyon et al. 2022 (SAHI); the package of that name does far more than the two functions needed.
"""

# N boxes (x0, y0, x1, y1)

from __future__ import annotations

import math

import torch
from torch import Tensor

_EDGE_TOLERANCE_PX = 0.5


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
