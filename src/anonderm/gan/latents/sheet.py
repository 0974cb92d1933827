"""A labelled sheet of faces. R rows, C columns, H x W pixels."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from anonderm.core.images import Pixels

_SMALLEST_SIDE = 96  # smaller faces are enlarged by an integer factor
_FONT_SIZE, _LINE, _GAP = 13, 20, 4


def labelled_sheet(images_RCHW3: Pixels, rows: Sequence[str], columns: Sequence[str]) -> Pixels:
    """Faces on white, with labels of the rows on the left and of the columns on top; uint8 [H, W, 3]."""
    font = ImageFont.load_default(_FONT_SIZE)
    factor = -(-_SMALLEST_SIDE // images_RCHW3.shape[2])
    images = images_RCHW3.repeat(factor, axis=2).repeat(factor, axis=3)
    side = images.shape[2]
    left = max(_width(font, text) for text in rows) + 2 * _GAP
    pitch = max(side, *(_width(font, text) for text in columns)) + _GAP
    size = (left + pitch * len(columns), _LINE + (side + _GAP) * len(rows))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for column, text in enumerate(columns):
        pen.text((left + pitch * column + side // 2, _LINE // 2), text, "black", font, anchor="mm")
    for row, text in enumerate(rows):
        top = _LINE + (side + _GAP) * row
        pen.text((left - _GAP, top + side // 2), text, "black", font, anchor="rm")
        for column in range(len(columns)):
            sheet.paste(Image.fromarray(images[row, column]), (left + pitch * column, top))
    return np.asarray(sheet)


def _width(font: ImageFont.FreeTypeFont | ImageFont.ImageFont, text: str) -> int:
    return int(np.ceil(font.getlength(text)))
