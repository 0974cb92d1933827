"""Pictures of more than 8 bits a channel at the brightness that they show: scaled to 8 bits, or refused."""

# H x W pixels

import numpy as np
from PIL import Image

from anonderm.core.errors import UnreadableImage

# The largest values that cameras, scanners and microscopes store in 16 bits or as floats.
_FULL_SCALES = (255, 1023, 4095, 16383, 65535)
_OVERSHOOT = 0.05  # share of the full scale by which resampling exceeds it in floats
_DARKEST = 64  # of 256: below it, values seem to hold fewer bits, or to have another full scale
_ROWS = 256
_SAVE_AS = "save it with 8 bits, or with the full range of values."

_BITS_PER_SAMPLE, _PHOTOMETRIC, _WHITE_IS_ZERO = 258, 262, 0  # of TIFF


def eight_bits(image: Image.Image, data: bytes) -> Image.Image:
    """Grey of 16 or 32 bits or of floats as mode L; any other picture as it is. `data` is its file.

    Raises UnreadableImage if the full scale is unknown, so that no photo becomes nearly black.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled(image)
    if _has_16_bits(image, data):
        high = max(band[1] if isinstance(band, tuple) else 0 for band in image.convert("RGB").getextrema())
        if 0 < high < _DARKEST:
            raise UnreadableImage(f"16-bit colours, all below {(high + 1) * 256} of 65535: {_SAVE_AS}")
    return image


def _has_16_bits(image: Image.Image, data: bytes) -> bool:
    """Whether a colour picture was stored with 16 bits a channel, of which Pillow keeps the upper 8."""
    if image.format == "TIFF":
        depths = _tiff_tag(image, _BITS_PER_SAMPLE)
        return isinstance(depths, tuple) and len(depths) >= 2 and depths[0] == 16
    return image.format == "PNG" and data[24:26] in (b"\x10\x02", b"\x10\x04", b"\x10\x06")


def _scaled(image: Image.Image) -> Image.Image:
    """By the smallest usual full scale that holds all values; Pillow clips at 255 instead."""
    values_HW = np.asarray(image)
    low, high = float(values_HW.min()), float(values_HW.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UnreadableImage(f"some of its values are no numbers; {_SAVE_AS}")
    rows = [slice(start, start + _ROWS) for start in range(0, image.height, _ROWS)]  # to save memory
    fractions = values_HW.dtype.kind == "f" and any(
        (np.floor(values_HW[part]) != values_HW[part]).any() for part in rows
    )
    scale = _full_scale(image, low, high, fractions)
    if scale is None:
        raise UnreadableImage(
            f"its values range from {low:g} to {high:g}, of which the full scale is unknown; {_SAVE_AS}"
        )
    levels_HW = np.empty(values_HW.shape, np.uint8)
    for part in rows:
        levels_HW[part] = np.clip(values_HW[part] * (255 / scale) + 0.5, 0, 255)
    if _tiff_tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        levels_HW = 255 - levels_HW
    return Image.fromarray(levels_HW)


def _full_scale(image: Image.Image, low: float, high: float, fractions: bool) -> int | None:
    bits = _tiff_tag(image, _BITS_PER_SAMPLE)
    if isinstance(bits, tuple) and len(bits) == 1 and isinstance(bits[0], int) and 8 < bits[0] < 16:
        return 2 ** bits[0] - 1
    beyond = _OVERSHOOT if fractions else 0.0
    scales = (1, *_FULL_SCALES) if fractions or high == 1 else _FULL_SCALES
    scale = next((scale for scale in scales if high <= scale * (1 + beyond)), None)
    if scale is None or low < -scale * beyond:
        return None
    return scale if high == 0 or high >= scale * _DARKEST / 256 else None


def _tiff_tag(image: Image.Image, number: int) -> object:
    return getattr(image, "tag_v2", {}).get(number)
