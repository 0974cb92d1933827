"""A contact sheet of faces with their landmarks, and of photos that could not be aligned, with the reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from anonderm.core.affine import map_points
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, grid, resize
from anonderm.ingest.align.face_points import FacePoints
from anonderm.ingest.align.framing import cut, ffhq_square, whole_square

_SIDE = 160
_COLUMNS = 8
_ALIGNED, _UNALIGNED = 48, 24  # at most


def contact_sheet(aligned: FaceSet, photos: FaceSet, rows: Sequence[dict[str, Any]]) -> Pixels:
    """uint8 [H, W, 3]; `rows`: the summaries of all photos. Raises MissingPath or UnreadableImage."""
    faces = {face.id: face for face in aligned}
    originals = {face.id: face for face in photos}
    good = _spread([each for row in rows for each in row["faces"] if each["points"]], _ALIGNED)
    bad = _spread([row for row in rows if row["reason"]], _UNALIGNED)
    tiles = [_aligned_tile(aligned.image(faces[each["id"]]), each) for each in good]
    tiles += [_unaligned_tile(photos.image(originals[row["photo"]]), row) for row in bad]
    return grid(np.stack(tiles), min(_COLUMNS, len(tiles)))


def _spread(items: list[Any], most: int) -> list[Any]:
    """All items, or `most` of them, evenly spread."""
    if len(items) <= most:
        return items
    return [items[index * len(items) // most] for index in range(most)]


def _aligned_tile(image_HWC: Pixels, row: dict[str, Any]) -> Pixels:
    points = FacePoints(**row["points"])
    tile = Image.fromarray(resize(image_HWC, _SIDE))
    draw = ImageDraw.Draw(tile)
    for x, y in map_points(points.points_32, ffhq_square(points).onto(_SIDE)):
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill="lime", outline="black")
    return _captioned(tile, row["id"], "black")


def _unaligned_tile(photo_HWC: Pixels, row: dict[str, Any]) -> Pixels:
    height, width = photo_HWC.shape[:2]
    tile = Image.fromarray(cut(photo_HWC, whole_square(width, height), _SIDE))
    ImageDraw.Draw(tile).rectangle((0, 0, _SIDE - 1, _SIDE - 1), outline="red", width=3)
    return _captioned(tile, f"{row['photo']}\n{row['reason']}", "darkred")


def _captioned(tile: Image.Image, text: str, colour: str) -> Pixels:
    """The picture with a strip of text below."""
    framed = Image.new("RGB", (_SIDE, _SIDE + 30), "white")
    framed.paste(tile)
    ImageDraw.Draw(framed).text((3, _SIDE + 2), text, fill=colour)
    return np.asarray(framed)
