"""Where the heat of a saliency map lies: its share inside boxes or a mask, and the pointing game.

H x W pixels of the heat map; B boxes as x0, y0, x1, y1, in those pixels, of which the first covers 0 to 1.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anonderm.core.records import Lesion

Map = NDArray[np.floating]


def boxes_of(lesions: Iterable[Lesion], scale: tuple[float, float]) -> NDArray[np.float64]:
    """float64 [B, 4]: boxes in pixels of the heat map, `scale` (across, down) times those of the image."""
    across, down = scale
    rows = [(box.x0 * across, box.y0 * down, box.x1 * across, box.y1 * down) for box in lesions]
    return np.array(rows, np.float64).reshape(-1, 4)


def cover(boxes_B4: NDArray[np.float64], shape: tuple[int, int]) -> Map:
    """[H, W] in 0..1: the largest share of each pixel that one box covers."""
    covered_HW = np.zeros(shape)
    for x0, y0, x1, y1 in boxes_B4:
        down_H, across_W = _overlap(y0, y1, shape[0]), _overlap(x0, x1, shape[1])
        np.maximum(covered_HW, np.outer(down_H, across_W), out=covered_HW)
    return covered_HW


def near(boxes_B4: NDArray[np.float64], shape: tuple[int, int], tolerance_px: float) -> NDArray[np.bool_]:
    """[H, W]: whether the centre of a pixel lies in a box or at most `tolerance_px` from one."""
    y_H1, x_1W = np.arange(shape[0])[:, None] + 0.5, np.arange(shape[1])[None, :] + 0.5
    found_HW = np.zeros(shape, bool)
    for x0, y0, x1, y1 in boxes_B4:
        aside_1W = np.maximum(np.maximum(x0 - x_1W, x_1W - x1), 0)
        above_H1 = np.maximum(np.maximum(y0 - y_H1, y_H1 - y1), 0)
        found_HW |= aside_1W**2 + above_H1**2 <= tolerance_px**2
    return found_HW


def skin_cover(mask_HW: NDArray[np.bool_], shape: tuple[int, int]) -> Map:
    """The mask at the size of the heat map, [H, W] in 0..1."""
    grey = Image.fromarray(mask_HW.astype(np.uint8) * 255)
    return np.asarray(grey.resize((shape[1], shape[0]), Image.Resampling.BOX), np.float64) / 255


def share_inside(heat_HW: Map, cover_HW: Map) -> float:
    """Share of the heat that the cover holds; 0 for a map without heat."""
    total = heat_HW.sum(dtype=np.float64)
    return float((heat_HW * cover_HW).sum(dtype=np.float64) / total) if total > 0 else 0.0


def hits(heat_HW: Map, near_HW: NDArray[np.bool_]) -> bool:
    """The pointing game: whether the hottest pixel is near a box; never for a map without heat.

    Source: Zhang et al. 2018 (Top-down neural attention by excitation backprop), section 4.1.
    """
    return bool(heat_HW.max() > 0 and near_HW.flat[int(heat_HW.argmax())])


def _overlap(low: float, high: float, count: int) -> Map:
    """[count]: the share of each pixel, from i to i + 1, between low and high."""
    edges = np.arange(count + 1)
    return np.clip(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0, 1)
