"""Skin tone from a photo: the individual typology angle (ITA), and the bins based on it.

ITA is defined for a calibrated colorimeter. Photos are not calibrated: exposure and the colour of the light
shift the angle by tens of degrees, so the bins describe the appearance of a set, not individual people.
"""

# N pixels of skin, H x W pixels of a photo

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from anonderm.core.images import Pixels
from anonderm.core.records import Lesion

# ITA above which skin counts as this type, degrees (Chardon et al. 1991; Del Bino and Bernerd 2013): very
# light, light, intermediate, tan, brown, dark. The literature equates them with Fitzpatrick's types, which
# are actually defined by how skin burns and tans.
_FITZPATRICK = (("I", 55.0), ("II", 41.0), ("III", 28.0), ("IV", 10.0), ("V", -30.0), ("VI", -math.inf))

# The Monk Skin Tone Scale, Ellis Monk 2022, https://skintone.google, CC-BY 4.0.
_SWATCHES = (
    *("#f6ede4", "#f3e7db", "#f7ead0", "#eadaba", "#d7bd96"),
    *("#a07e56", "#825c43", "#604134", "#3a312a", "#292420"),
)
MONK_COLOURS = {str(number): colour for number, colour in enumerate(_SWATCHES, start=1)}

FITZPATRICK_TYPES = tuple(name for name, _ in _FITZPATRICK)
MONK_TONES = tuple(MONK_COLOURS)

# Linear intensity of each sRGB level, the matrix to XYZ, and the XYZ of white.
_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4)
_TO_XYZ = np.array(
    [[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]]
)
_WHITE = _TO_XYZ.sum(axis=1)

_MAX_PIXELS = 50_000
_MIN_PIXELS = 50
_MIDDLE = (25.0, 75.0)  # percentiles of L* between which skin is neither shaded nor shiny
_INFLAMED = 75.0  # percentile of a* above which skin may be inflamed


def ita(lightness: float, b: float) -> float | None:
    """Degrees, from L* and b* in CIELab under D65; None if b* is not positive: such a grey or blue picture
    shows no skin tone.

    Source: Chardon et al. 1991, atan((L* - 50) / b*).
    """
    return math.degrees(math.atan2(lightness - 50, b)) if b > 0 else None


def skin_ita(image_HWC: Pixels, mask_HW: NDArray[np.bool_], lesions: Iterable[Lesion] = ()) -> float | None:
    """The ITA of healthy, evenly lit skin in a photo; None for fewer than 50 pixels of skin, or no colour.

    Lesion boxes are excluded unless nothing else is skin. The angle is that of the median colour of the least
    red three quarters of the middle half by lightness.
    """
    clear_HW = mask_HW & ~_boxes(mask_HW.shape, lesions)
    used_HW = clear_HW if clear_HW.sum() >= _MIN_PIXELS else mask_HW
    pixels_N3 = image_HWC[used_HW]
    if len(pixels_N3) < _MIN_PIXELS:
        return None
    lab_N3 = to_lab(pixels_N3[:: -(-len(pixels_N3) // _MAX_PIXELS)])
    low, high = np.percentile(lab_N3[:, 0], _MIDDLE)
    even_N3 = lab_N3[(lab_N3[:, 0] >= low) & (lab_N3[:, 0] <= high)]
    calm_N3 = even_N3[even_N3[:, 1] <= np.percentile(even_N3[:, 1], _INFLAMED)]
    lightness, _, b = np.median(calm_N3, axis=0).tolist()
    return ita(lightness, b)


def to_lab(pixels_N3: Pixels) -> NDArray[np.float64]:
    """uint8 sRGB to CIELab under D65, float64 [N, 3]; OpenCV's tables are off by up to 0.2."""
    xyz_N3 = _LINEAR[pixels_N3] @ (_TO_XYZ / _WHITE[:, None]).T
    root_N3 = np.where(xyz_N3 > (6 / 29) ** 3, np.cbrt(xyz_N3), xyz_N3 * (29 / 6) ** 2 / 3 + 4 / 29)
    x_N, y_N, z_N = root_N3.T
    return np.stack([116 * y_N - 16, 500 * (x_N - y_N), 200 * (y_N - z_N)], axis=1)


def fitzpatrick(degrees: float) -> str:
    """I to VI."""
    return next(name for name, above in _FITZPATRICK if degrees > above)


def monk(degrees: float) -> str:
    """1 to 10: the swatch with the nearest ITA. The lightest three lie within twelve degrees."""
    return min(_MONK_ITA, key=lambda tone: abs(_MONK_ITA[tone] - degrees))


_SWATCHES_103 = np.array([list(bytes.fromhex(colour[1:])) for colour in _SWATCHES], np.uint8)
_MONK_ITA = {
    tone: ita(lightness, b) or 0.0
    for tone, (lightness, _, b) in zip(MONK_TONES, to_lab(_SWATCHES_103).tolist(), strict=True)
}


def _boxes(shape: tuple[int, ...], lesions: Iterable[Lesion]) -> NDArray[np.bool_]:
    inside_HW = np.zeros(shape, bool)
    for lesion in lesions:
        rows = slice(max(0, math.floor(lesion.y0)), max(0, math.ceil(lesion.y1)))
        inside_HW[rows, max(0, math.floor(lesion.x0)) : max(0, math.ceil(lesion.x1))] = True
    return inside_HW
