"""Antialiased painting in linear RGB: colours, coverage, noise."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Colour = tuple[float, float, float]

_XYZ_TO_RGB = np.array(
    [
        [3.2406255, -1.5372080, -0.4986286],
        [-0.9689307, 1.8757561, 0.0415175],
        [0.0557101, -0.2040211, 1.0569959],
    ]
)
_D65 = np.array([0.95047, 1.0, 1.08883])
_CODES = 8192
_LINEAR = np.arange(_CODES + 1) / _CODES
_ENCODED = np.where(_LINEAR <= 0.0031308, 12.92 * _LINEAR, 1.055 * _LINEAR ** (1 / 2.4) - 0.055).astype(
    np.float32
)


def lab_to_linear(lightness: float, a: float, b: float) -> Colour:
    """CIELab (D65) to linear RGB in 0..1, clipped to the sRGB gamut. Source: CIE 15; IEC 61966-2-1."""
    fy = (lightness + 16) / 116
    f = np.array([fy + a / 500, fy, fy - b / 200])
    xyz = _D65 * np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
    red, green, blue = np.clip(_XYZ_TO_RGB @ xyz, 0.0, 1.0)
    return float(red), float(green), float(blue)


def encode_srgb(linear: Array) -> Array:
    """Linear RGB to sRGB, both 0..1; values outside are clipped."""
    codes = np.minimum(np.maximum(linear, 0.0), 1.0) * _CODES
    return _ENCODED.take(codes.astype(np.intp))


def unit(values: Array) -> Array:
    """Clip to 0..1 (np.clip costs more than the arithmetic on small windows)."""
    return np.minimum(np.maximum(values, 0.0), 1.0)


def cover(distance: Array, pixel: float) -> Array:
    """Share of a pixel inside a shape, from the signed distance to its edge (negative inside)."""
    return unit(0.5 - distance * (1 / pixel))


def soft_cover(distance: Array, width: float) -> Array:
    """Smooth step from 1 to 0 over `width`, centred on the edge."""
    t = unit(0.5 - distance * (1 / width))
    return t * t * (3 - 2 * t)


def stroke(distance: Array, width: Array | float, pixel: float) -> Array:
    """Share of a pixel under a line of this width, also for lines thinner than a pixel."""
    high = np.minimum(distance + width * 0.5, pixel * 0.5)
    low = np.maximum(distance - width * 0.5, -pixel * 0.5)
    return np.maximum(high - low, 0.0) * (1 / pixel)


def blend(rgb: Array, colour: Colour | Array, alpha: Array) -> None:
    """Blend a colour over rgb [3, H, W] with opacity alpha [H, W], in place."""
    tone = colour if isinstance(colour, np.ndarray) else np.array(colour, np.float32)[:, None, None]
    rgb += alpha * (tone - rgb)


def tint(rgb: Array, factor: Colour, alpha: Array) -> None:
    """Filter rgb [3, H, W] through a pigment of transmission `factor` with strength alpha, in place."""
    rgb *= 1 + alpha * (np.array(factor, np.float32)[:, None, None] - 1)


def shaded(colour: Colour, light_HW: Array) -> Array:
    """A colour under changing light, [3, H, W]."""
    return np.array(colour, np.float32)[:, None, None] * light_HW


def times(colour: Colour, factor: float) -> Colour:
    return (colour[0] * factor, colour[1] * factor, colour[2] * factor)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (p + share * (q - p) for p, q in zip(first, second, strict=True))
    return (red, green, blue)


_LATTICE = np.random.default_rng(20240607).uniform(-1, 1, (64, 64)).astype(np.float32)
_FLAT = _LATTICE.ravel()


def noise(x: Array, y: Array, cells: float, pixel: float, offset: int = 0) -> Array | float:
    """Smooth value noise in -1..1, `cells` lattice cells per unit; fades where pixels cannot resolve it."""
    visible = min(1.0, max(0.0, 2.0 - 3.0 * cells * pixel))
    if visible == 0:
        return 0.0
    # The lattice is rotated, so that its rows do not appear as rows of the picture.
    gx = x * (0.8 * cells) + y * (0.6 * cells) + (offset % 61 + 300)
    gy = y * (0.8 * cells) - x * (0.6 * cells) + (offset % 53 + 300)
    ix, iy = gx.astype(np.intp), gy.astype(np.intp)
    fx, fy = gx - ix, gy - iy
    fx, fy = fx * fx * (3 - 2 * fx), fy * fy * (3 - 2 * fy)
    left, right = ix & 63, (ix + 1) & 63
    top, bottom = (iy & 63) << 6, ((iy + 1) & 63) << 6
    upper_left, lower_left = _FLAT.take(top + left), _FLAT.take(bottom + left)
    upper = upper_left + fx * (_FLAT.take(top + right) - upper_left)
    lower = lower_left + fx * (_FLAT.take(bottom + right) - lower_left)
    result: Array = (upper + fy * (lower - upper)) * np.float32(visible)
    return result


def streaks(t: Array, cells: float, pixel: float, offset: int = 0) -> Array | float:
    """Noise along one coordinate, in -1..1; fades like `noise`."""
    visible = min(1.0, max(0.0, 2.0 - 3.0 * cells * pixel))
    if visible == 0:
        return 0.0
    g = t * cells + (offset % 977 + 2000)
    index = g.astype(np.intp)
    f = g - index
    left = _FLAT.take(index & 4095)
    result: Array = (left + f * (_FLAT.take((index + 1) & 4095) - left)) * np.float32(visible)
    return result


def gaussian(x: Array, y: Array, cx: float, cy: float, sx: float, sy: float) -> Array:
    dx, dy = (x - cx) * (math.sqrt(0.5) / sx), (y - cy) * (math.sqrt(0.5) / sy)
    result: Array = np.exp(-(dx * dx + dy * dy))
    return result
