"""The picture sheet of Grad-CAM maps: a row for each class or lesion type, each face beside its map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, grid, resize, write_png
from anonderm.core.records import Face, Lesion
from anonderm.models.classifier.grad_cam import overlay

_TILE_PX = 192
_WHITE, _BLACK = np.uint8(255), np.uint8(0)

Explained = tuple[Face, str, tuple[Lesion, ...], NDArray[np.float32]]


def write_sheet(path: Path, faces: FaceSet, explained: list[Explained], columns: int) -> None:
    """Write the sheet; `explained` holds each face with the class explained, its boxes, and the map.

    Boxes are white; the cross marks the maximum.
    """
    rows: dict[str, list[Pixels]] = {}
    for face, name, lesions, heat_HW in explained:
        image_HWC = faces.image(face)
        heated_HWC = overlay(image_HWC, heat_HW, _TILE_PX)
        _draw_boxes(heated_HWC, lesions, _TILE_PX / image_HWC.shape[1], _TILE_PX / image_HWC.shape[0])
        if heat_HW.max() > 0:
            _draw_cross(heated_HWC, heat_HW)
        pair = np.concatenate([resize(image_HWC, _TILE_PX), heated_HWC], axis=1)
        rows.setdefault(name, []).append(pair)
    blank = np.full((_TILE_PX, 2 * _TILE_PX, 3), _WHITE)
    tiles = [tile for row in rows.values() for tile in row + [blank] * (columns - len(row))]
    write_png(path, grid(np.stack(tiles), columns))


def _draw_boxes(picture_HWC: Pixels, lesions: tuple[Lesion, ...], across: float, down: float) -> None:
    last = len(picture_HWC) - 1
    for box in lesions:
        x0, x1 = (min(max(round(x * across), 0), last) for x in (box.x0, box.x1))
        y0, y1 = (min(max(round(y * down), 0), last) for y in (box.y0, box.y1))
        picture_HWC[[y0, y1], x0 : x1 + 1] = _WHITE
        picture_HWC[y0 : y1 + 1, [x0, x1]] = _WHITE


def _draw_cross(picture_HWC: Pixels, heat_HW: NDArray[np.float32]) -> None:
    row, column = np.unravel_index(int(heat_HW.argmax()), heat_HW.shape)
    y, x = (int((place + 0.5) * _TILE_PX / len(heat_HW)) for place in (row, column))
    for thick, colour in ((2, _BLACK), (1, _WHITE)):
        arm = 5 + thick
        picture_HWC[max(y - arm, 0) : y + arm + 1, max(x - thick + 1, 0) : x + thick] = colour
        picture_HWC[max(y - thick + 1, 0) : y + thick, max(x - arm, 0) : x + arm + 1] = colour
