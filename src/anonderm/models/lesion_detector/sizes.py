"""What the lesions of a training set ask of a detector: how much to enlarge, tiles, anchors."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.records import Lesion

# Quantiles of the lesions' sides that become the anchors of each level of the pyramid. Most lie on the
# finest, for on a coarse grid no anchor lies near enough to a small lesion.
_QUANTILES = ((0.05, 0.3, 0.6), (0.8, 0.9, 0.95), (0.98, 0.99, 1.0))
_LEAST_ANCHOR = 4.0
_ENLARGE = (0.25, 4.0)

Anchors = tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Geometry:
    """`tile`: side of a square cut from a face, in its pixels; `side`: what it is resized to for the network.

    `anchors`: for each level of the pyramid, finest first, sides of square boxes in pixels of the input.
    """

    tile: int
    side: int
    anchors: Anchors

    @property
    def enlarge(self) -> float:
        return self.side / self.tile


def sides(lesions: Iterable[Lesion]) -> NDArray[np.float64]:
    """Side [N] of the square as large as each lesion's box, in pixels."""
    return np.array([math.sqrt((each.x1 - each.x0) * (each.y1 - each.y0)) for each in lesions])


def fit(lesions: Iterable[Lesion], picture: int, side: int, lesion_side: float) -> Geometry:
    """Bring the median lesion to `lesion_side` pixels of the input; anchors at quantiles of the sides.

    picture: the shorter side of the largest face, beyond which no tile reaches.
    """
    of_lesions_N = sides(lesions)
    enlarge = float(np.clip(lesion_side / max(float(np.median(of_lesions_N)), 1e-6), *_ENLARGE))
    tile = min(picture, round(side / enlarge))
    seen_N = of_lesions_N * side / tile
    anchors = tuple(
        tuple(round(max(_LEAST_ANCHOR, float(each)), 1) for each in np.quantile(seen_N, level))
        for level in _QUANTILES
    )
    return Geometry(tile, side, anchors)
