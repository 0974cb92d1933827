"""How a person is photographed: pose, expression, light and camera, and the coordinates of pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from anonderm.phantom.paint import Array

EYE_LEVEL = 0.465  # height of the eyes in the picture, as in FFHQ's alignment (Karras et al. 2019)
_DEPTH = 0.20  # distance from the middle of the face to the plane of its outline, in photo widths
_DOME_CENTRE, _DOME_HEIGHT = 0.05, 0.40


@dataclass(frozen=True, slots=True)
class Photo:
    """One photo: angles in radians, lengths as shares of the photo's width; by default a neutral photo."""

    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    scale: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0
    smile: float = 0.0
    eyes_open: float = 1.0
    gaze: float = 0.0
    light_x: float = 0.0
    light_y: float = -0.35
    contrast: float = 1.0
    exposure: float = 1.0
    warmth: float = 0.0
    blur: float = 0.0
    noise: float = 0.0
    seed: int = 0


def sample_photo(rng: np.random.Generator) -> Photo:
    """A random photo: small variations of pose, expression, light and colour."""

    def normal(mean: float, deviation: float) -> float:
        return float(mean + deviation * np.clip(rng.normal(), -2.2, 2.2))

    return Photo(
        roll=normal(0, 0.025),
        yaw=normal(0, 0.10),
        pitch=normal(0, 0.06),
        scale=normal(1.0, 0.018),
        shift_x=normal(0, 0.006),
        shift_y=normal(0, 0.006),
        smile=float(rng.beta(1.2, 2.2)),
        eyes_open=normal(1.0, 0.09),
        gaze=normal(0, 0.25),
        light_x=normal(0, 0.28),
        light_y=normal(-0.35, 0.14),
        contrast=normal(1.0, 0.15),
        exposure=float(math.exp(normal(0, 0.07))),
        warmth=normal(0, 0.035),
        blur=float(rng.uniform(0, 0.0012)),
        noise=float(rng.uniform(0.002, 0.008)),
        seed=int(rng.integers(2**31)),
    )


@dataclass(frozen=True)
class View:
    """A rectangle of the picture, or all of it: arrays [H, W] and [3, H, W] that share the picture's memory.

    x, y: head coordinates, rotated and scaled with the head; u, v: face coordinates, which also shift over
    the head with yaw and pitch; skin: share of facial skin; pixel: width of a pixel in these units.
    """

    x: Array
    y: Array
    u: Array
    v: Array
    rgb: Array
    skin: Array
    pixel: float

    def part(self, part: tuple[slice, slice]) -> View:
        maps = (self.x, self.y, self.u, self.v, self.rgb, self.skin)
        x, y, u, v, rgb, skin = (each[..., *part] for each in maps)
        return View(x, y, u, v, rgb, skin, self.pixel)


@dataclass(frozen=True)
class Camera:
    """Maps head and face coordinates of a person to the pixels of a square picture, and back."""

    photo: Photo
    size: int
    head_width: float
    pixel: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pixel", 1 / (self.size * self.photo.scale))

    def _shift(self, x: Array, y: Array) -> tuple[Array, Array]:
        """The shift by yaw and pitch of the point of the face that appears at head coordinates x, y."""
        across, down = x * (1 / self.head_width), (y - _DOME_CENTRE) * (1 / _DOME_HEIGHT)
        dome = np.maximum(1 - across * across - down * down, 0) * _DEPTH
        return dome * math.sin(self.photo.yaw), dome * math.sin(self.photo.pitch)

    def canvas(self) -> View:
        """The whole picture, black, with its coordinates."""
        photo, size = self.photo, self.size
        steps = ((np.arange(size) + 0.5) / size).astype(np.float32)
        across = (steps - (0.5 + photo.shift_x)) * (1 / photo.scale)
        down = (steps - (EYE_LEVEL + photo.shift_y)) * (1 / photo.scale)
        cosine, sine = math.cos(photo.roll), math.sin(photo.roll)
        x = across[None, :] * cosine + down[:, None] * sine
        y = down[:, None] * cosine - across[None, :] * sine
        shift_x, shift_y = self._shift(x, y)
        rgb = np.zeros((3, size, size), np.float32)
        return View(x, y, x - shift_x, y - shift_y, rgb, np.zeros((size, size), np.float32), self.pixel)

    def to_pixels(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Column and row (0 at the picture's left and upper edge) of head coordinates."""
        photo = self.photo
        cosine, sine = math.cos(photo.roll), math.sin(photo.roll)
        column = (x * cosine - y * sine) * photo.scale + 0.5 + photo.shift_x
        row = (x * sine + y * cosine) * photo.scale + EYE_LEVEL + photo.shift_y
        return column * self.size, row * self.size

    def face_to_pixels(self, u: Array, v: Array) -> tuple[Array, Array]:
        """Column and row of face coordinates; inverts the shift by fixed-point iteration (a contraction)."""
        x, y = u, v
        for _ in range(8):
            shift_x, shift_y = self._shift(x, y)
            x, y = u + shift_x, v + shift_y
        return self.to_pixels(x, y)

    def bounds(self, left: float, right: float, top: float, bottom: float) -> tuple[slice, slice]:
        """Rows and columns of the picture that contain this rectangle of face coordinates in any pose."""
        photo = self.photo
        reach_x = (right - left) / 2 + abs(_DEPTH * math.sin(photo.yaw))
        reach_y = (bottom - top) / 2 + abs(_DEPTH * math.sin(photo.pitch))
        x, y = (left + right) / 2, (top + bottom) / 2
        cosine, sine = math.cos(photo.roll), math.sin(photo.roll)
        column = (x * cosine - y * sine) * photo.scale + 0.5 + photo.shift_x
        row = (x * sine + y * cosine) * photo.scale + EYE_LEVEL + photo.shift_y
        columns = (reach_x * cosine + reach_y * abs(sine)) * photo.scale
        rows = (reach_x * abs(sine) + reach_y * cosine) * photo.scale
        return self._range(row, rows), self._range(column, columns)

    def _range(self, centre: float, reach: float) -> slice:
        low = min(max(int((centre - reach) * self.size) - 1, 0), self.size - 1)
        high = min(max(int((centre + reach) * self.size) + 2, low + 1), self.size)
        return slice(low, high)

    def window(self, canvas: View, left: float, right: float, top: float, bottom: float) -> View:
        """The part of the canvas that contains this rectangle of face coordinates."""
        return canvas.part(self.bounds(left, right, top, bottom))
