"""Tile size and anchors of a detector, fitted to the lesions of its training set."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.records import Lesion

# Quantiles of the lesions' sides that become the anchors of each pyramid level. Most are on the finest level:
# on a coarse grid no anchor is near enough to a small lesion.
_QUANTILES = ((0.05, 0.3, 0.6), (0.8, 0.9, 0.95), (0.98, 0.99, 1.0))
_MIN_ANCHOR = 4.0
_SCALES = (0.25, 4.0)

Anchors = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Geometry:
    """`tile`: side of a square cut from a face, in its pixels; `side`: that of the network's input.

    `anchors`: for each pyramid level, finest first, sides of square boxes in pixels of the input.
    """

    tile: int
    side: int
    anchors: Anchors

    @property
    def scale(self) -> float:
        """How much a tile is enlarged."""
        return self.side / self.tile


def box_sides(lesions: Iterable[Lesion]) -> NDArray[np.float64]:
    """Side [N] of the square with the area of each lesion's box, in pixels."""
    return np.array([math.sqrt((each.x1 - each.x0) * (each.y1 - each.y0)) for each in lesions])


def fit_geometry(lesions: Iterable[Lesion], max_tile: int, side: int, lesion_size: float) -> Geometry:
    """Scale the median lesion to `lesion_size` pixels of the input; anchors at quantiles of the sides.

    max_tile: the shorter side of the largest face.
    """
    sides_N = box_sides(lesions)
    scale = float(np.clip(lesion_size / max(float(np.median(sides_N)), 1e-6), *_SCALES))
    tile = min(max_tile, round(side / scale))
    anchors = tuple(
        tuple(round(max(_MIN_ANCHOR, float(each)), 1) for each in np.quantile(sides_N * side / tile, level))
        for level in _QUANTILES
    )
    return Geometry(tile, side, anchors)
