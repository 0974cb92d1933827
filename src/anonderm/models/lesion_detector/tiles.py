"""Slicing: a face is searched in overlapping tiles, so that a small lesion is not lost in a small input.

Source: Akyon et al. 2022 (SAHI); the package of that name brings far more than the two functions needed.
"""

# N boxes (x0, y0, x1, y1)

from __future__ import annotations

import math

import torch
from torch import Tensor

_TOUCHES = 0.5  # pixels


def starts(length: int, tile: int, overlap: float) -> list[int]:
    """Where tiles begin along one side so that they cover it, neighbours sharing at least `overlap`."""
    if length <= tile:
        return [0]
    count = 1 + math.ceil((length - tile) / max(1.0, tile * (1 - overlap)))
    return [round(index * (length - tile) / (count - 1)) for index in range(count)]


def corners(height: int, width: int, tile: int, overlap: float) -> list[tuple[int, int]]:
    """Left and top of every tile of a picture."""
    return [(left, top) for top in starts(height, tile, overlap) for left in starts(width, tile, overlap)]


def is_cut(
    boxes_N4: Tensor, place: tuple[int, int], tile: int, shared: float, size: tuple[int, int]
) -> Tensor:
    """Whether each box [N] ends at an edge of its tile beyond which the picture goes on.

    boxes_N4: in pixels of the picture, whose height and width are `size`; `place`: left and top of the tile.
    What is cut and smaller than the `shared` pixels is seen whole by the neighbouring tile.
    """
    (left, top), (height, width) = place, size
    edges_4 = torch.tensor([left, top, left + tile, top + tile])
    inner_4 = torch.tensor([left > 0, top > 0, left + tile < width, top + tile < height])
    small_N2 = boxes_N4[:, 2:] - boxes_N4[:, :2] < shared
    touching_N4 = ((boxes_N4 - edges_4).abs() < _TOUCHES) & inner_4
    return (touching_N4 & small_N2.repeat(1, 2)).any(dim=1)
