"""Tile size and anchors of a detector, fitted to the lesions of its training set."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from anonderm.core.records import Lesion

# Quantiles of the lesions' sides that become the anchors of each pyramid level. Most are on the finest level:
# on a coarse grid no anchor is near enough to a small lesion.
_QUANTILES = ((0.05, 0.3, 0.6), (0.8, 0.9, 0.95), (0.98, 0.99, 1.0))
_MIN_ANCHOR = 4.0
_SCALES = (0.25, 4.0)

Anchors = tuple[tuple[float, ...], ...]


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
