"""Affine maps between pictures, for boxes, masks and points in pixels.

A map is float64 [2, 3]; it takes (x, y, 1) of one picture to (x, y) of another. Coordinates run along pixel
edges: the first pixel covers 0 to 1, so a picture of width W covers 0 to W.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from anonderm.core.records import Lesion

Affine = NDArray[np.float64]

_MIN_INSIDE = 0.5  # share of a box that must lie inside the picture


def crop_and_scale(left: float, top: float, width: float, height: float, to: tuple[float, float]) -> Affine:
    """The map of a rectangle onto a whole picture of `to` = (width, height)."""
    x_scale, y_scale = to[0] / width, to[1] / height
    return np.array([[x_scale, 0.0, -left * x_scale], [0.0, y_scale, -top * y_scale]])


def map_points(points_N2: NDArray[np.float64], affine: Affine) -> NDArray[np.float64]:
    return points_N2 @ affine[:, :2].T + affine[:, 2]


def map_lesions(
    lesions: Iterable[Lesion], affine: Affine, size: tuple[int, int]
) -> tuple[tuple[Lesion, ...], int]:
    """The boxes in the new picture of `size` = (width, height), and the number that were dropped.

    A rotated box becomes its axis-aligned bounding box. Boxes are clipped to the picture; one with less than
    half of its area inside is dropped.
    """
    mapped = [_mapped(lesion, affine, size) for lesion in lesions]
    kept = tuple(lesion for lesion in mapped if lesion is not None)
    return kept, len(mapped) - len(kept)


def map_known_lesions(
    lesions: Iterable[Lesion] | None, affine: Affine, size: tuple[int, int]
) -> tuple[tuple[Lesion, ...] | None, int]:
    """As `map_lesions`; unknown lesions remain unknown."""
    return (None, 0) if lesions is None else map_lesions(lesions, affine, size)


def _mapped(lesion: Lesion, affine: Affine, size: tuple[int, int]) -> Lesion | None:
    corners_42 = np.array([[x, y] for x in (lesion.x0, lesion.x1) for y in (lesion.y0, lesion.y1)])
    mapped_42 = map_points(corners_42, affine)
    low_2, high_2 = mapped_42.min(axis=0), mapped_42.max(axis=0)
    inside_low_2, inside_high_2 = np.clip(low_2, 0, size), np.clip(high_2, 0, size)
    area = float(np.prod(high_2 - low_2))
    if area <= 0 or float(np.prod(inside_high_2 - inside_low_2)) < _MIN_INSIDE * area:
        return None
    return Lesion(lesion.kind, *map(float, (*inside_low_2, *inside_high_2)))
