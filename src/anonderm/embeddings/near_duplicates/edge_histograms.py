"""Descriptors of pictures that change little when a picture is mirrored, cropped, recompressed or recoloured.

A picture becomes 8 x 8 histograms of edge directions, each edge weighted by its strength relative to its
surroundings (Dalal and Triggs 2005). Brightness, contrast and colour then hardly matter, and edges may move
by part of a cell. Mirroring, and crops of up to 8% on any side, are covered by views: the same picture cut
along other windows, plain and mirrored. On the people of the Face Research Lab London Set all such copies are
nearer than 999 of 1,000 impostor pairs (docs/decisions.md).
"""

# V views, W windows, S x S pixels, B directions, C x C cells, D = B * C * C

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from anonderm.core.files import sha256_bytes
from anonderm.core.images import LUMINANCE, Pixels

_SIDE = 64  # S
_CELLS = 8  # C
_DIRECTIONS = 8  # B
_FAINT = 2.0  # grey levels; edges in surroundings weaker than this are not amplified further

# Windows as margins, and how far they are moved. Queries are cut along the first; copies cropped by up to 8%
# match another window of the original, those that show more match the widest.
_MARGINS = (0.04, 0.0, 0.08, 0.12)
_MOVES = ((0.0, 0.0), (0.03, 0.0), (-0.03, 0.0), (0.0, 0.03), (0.0, -0.03))
_WINDOWS = tuple((margin, *move) for margin, move in product(_MARGINS, _MOVES))

WIDTH = _DIRECTIONS * _CELLS**2
VIEWS = 2 * len(_WINDOWS)
DIGEST = sha256_bytes(b"edges-8x8x8-windows-20-v2")
"""Identifies the descriptor: change it with anything in this file that changes a value."""

Plane = NDArray[np.float32]  # [S, S]
Descriptors = NDArray[np.float32]


def describe(picture_HWC: Pixels) -> Descriptors:
    """[1, D]: the first view alone, enough for one side of a comparison."""
    return edges(_cut(_grey(picture_HWC), *_WINDOWS[0]))[None]


def describe_views(picture_HWC: Pixels) -> Descriptors:
    """[V, D]: all windows, plain and mirrored; `describe` gives the first."""
    grey = _grey(picture_HWC)
    rows_WD = np.stack([edges(_cut(grey, *window)) for window in _WINDOWS])
    return np.concatenate([rows_WD, mirrored(rows_WD)])


def _grey(picture_HWC: Pixels) -> Plane:
    """Luminance, 0 to 255, at twice the side of the windows that are cut from it."""
    import cv2

    how = cv2.INTER_AREA if picture_HWC.shape[0] > 2 * _SIDE else cv2.INTER_CUBIC
    small = cv2.resize(np.ascontiguousarray(picture_HWC), (2 * _SIDE, 2 * _SIDE), interpolation=how)
    return np.asarray(small.astype(np.float32) @ LUMINANCE)


def _cut(grey: Plane, margin: float, right: float, down: float) -> Plane:
    """[S, S]: the window without `margin` on every side, moved to the right and down (shares of the side)."""
    import cv2

    full = len(grey)
    scale = 1 - 2 * margin
    x, y = ((margin + move) * full + (scale - 1) / 2 for move in (right, down))  # from pixel centres
    affine = np.array([[scale, 0.0, x], [0.0, scale, y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    window = cv2.warpAffine(grey, affine, (full, full), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(cv2.resize(window, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA))


def edges(grey_SS: Plane) -> NDArray[np.float32]:
    """Histograms of edge directions [D], with mean 0 and length 1; 0 for a picture without edges."""
    import cv2

    across_SS, down_SS = np.zeros_like(grey_SS), np.zeros_like(grey_SS)
    across_SS[:, 1:-1] = grey_SS[:, 2:] - grey_SS[:, :-2]
    down_SS[1:-1] = grey_SS[2:] - grey_SS[:-2]
    strength_SS = np.hypot(across_SS, down_SS)
    strength_SS /= cv2.GaussianBlur(strength_SS, (0, 0), _SIDE / _CELLS) + _FAINT
    turn_SS = np.arctan2(down_SS, across_SS) * (_DIRECTIONS / (2 * np.pi)) % _DIRECTIONS
    apart_SSB = np.abs(turn_SS[:, :, None] - np.arange(_DIRECTIONS, dtype=np.float32))
    apart_SSB = np.minimum(apart_SSB, _DIRECTIONS - apart_SSB)
    shared_SSB = np.maximum(0, 1 - apart_SSB) * strength_SS[:, :, None]
    cells_CS = _cells()
    cells_CCB = np.tensordot(cells_CS, np.tensordot(cells_CS, shared_SSB, (1, 1)), (1, 1))
    roots_D = np.sqrt(cells_CCB.ravel())
    centred_D = roots_D - roots_D.mean()
    return np.asarray(centred_D / max(float(np.linalg.norm(centred_D)), 1e-6), np.float32)


@cache
def _cells() -> NDArray[np.float32]:
    """[C, S]: the weight of each pixel in each cell along one axis; neighbouring cells overlap."""
    import cv2

    ones_SS = np.eye(_SIDE, dtype=np.float32)
    soft_SS = cv2.GaussianBlur(ones_SS, (1, 0), sigmaX=1.0, sigmaY=_SIDE / _CELLS / 2)  # down alone
    return np.asarray(cv2.resize(soft_SS, (_SIDE, _CELLS), interpolation=cv2.INTER_AREA))


def mirrored(rows_WD: Descriptors) -> Descriptors:
    """The `edges` of the mirrored pictures: cells and edge directions are swapped left to right."""
    cells_WCCB = rows_WD.reshape(-1, _CELLS, _CELLS, _DIRECTIONS)
    leaning_B = (_DIRECTIONS // 2 - np.arange(_DIRECTIONS)) % _DIRECTIONS
    return np.ascontiguousarray(cells_WCCB[:, :, ::-1, leaning_B].reshape(rows_WD.shape))
