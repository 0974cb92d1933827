"""Hair behind the head and over it."""

from dataclasses import dataclass

import numpy as np

from anonderm.phantom import shapes
from anonderm.phantom.paint import Array, blend, noise, soft_cover, streaks, tint, unit
from anonderm.phantom.person import Person
from anonderm.phantom.photo import Camera, View

# Extent of the hair above and beside the head, and length to which it falls, in photo widths.
_SHAPES = {
    "buzz": (0.006, 0.003, 0.0),
    "short": (0.036, 0.014, 0.0),
    "swept": (0.052, 0.016, 0.0),
    "tied": (0.020, 0.006, 0.0),
    "bob": (0.042, 0.048, 0.33),
    "long": (0.040, 0.050, 0.80),
    "curls": (0.070, 0.080, 0.36),
    "afro": (0.105, 0.115, 0.16),
}
_FALLS = ("bob", "long", "curls", "afro")


@dataclass(frozen=True)
class Hair:
    """Outline of a person's hair and brightness of its strands, -1..1, on a part of the canvas."""

    view: View
    outline: Array
    strands: Array | float


def grow(canvas: View, camera: Camera, person: Person) -> Hair | None:
    """None for bald people."""
    if person.hair_style == "bald":
        return None
    wide = person.head_width + 0.17
    bottom = 0.6 if person.hair_style in _FALLS else 0.12
    view = camera.window(canvas, -wide, wide, -person.head_top - 0.2, bottom)
    return Hair(view, _outline(view, person), _strands(view, person))


def _outline(view: View, person: Person) -> Array:
    """Distance to the outline of all the hair."""
    top, side, fall = _SHAPES[person.hair_style]
    top, side = top * person.hair_volume, side * (0.5 + 0.5 * person.hair_volume)
    x, down = view.x, view.y - shapes.HEAD_CENTRE
    width, height = person.head_width + side, person.head_top + shapes.HEAD_CENTRE + top
    up = np.minimum(down, 0)
    dome = shapes.along_ray(x, up, shapes.rounded(x * (1 / width), up * (1 / height), shapes.SKULL))
    if fall:
        narrow = 0.10 if person.hair_style == "bob" else 0.03
        sides = np.maximum(np.abs(x) - width + narrow * np.maximum(down - 0.1, 0) + 0.06, 0)
        ends = np.maximum(view.y - fall + 0.35 * x * x + 0.06, 0)
        distance = np.where(down < 0, dome, np.sqrt(sides * sides + ends * ends) - 0.06)
    else:
        # Short hair lies closer to the head towards the ear.
        distance = np.maximum(dome + side * unit((down + 0.16) * 7), down - 0.02)
    return distance + _ripple(view, person)


def _ripple(view: View, person: Person) -> Array | float:
    """Unevenness of the outline."""
    x, y, pixel, seed = view.x, view.y, view.pixel, person.seed
    if person.hair_style in ("curls", "afro"):
        return 0.010 * noise(x, y, 22, pixel, seed) + 0.006 * noise(x, y, 55, pixel, seed)
    return 0.003 * noise(x, y, 30, pixel, seed)


def _strands(view: View, person: Person) -> Array | float:
    x, y, pixel, seed = view.x, view.y, view.pixel, person.seed
    if person.hair_style in ("curls", "afro", "buzz"):
        cells = {"curls": 48, "afro": 80, "buzz": 150}[person.hair_style]
        return noise(x, y, cells, pixel, seed) + 0.5 * noise(x, y, 18, pixel, seed + 5)
    # Strands run from the crown over the forehead, and straight down beside the face.
    fan = (x - 0.10 * person.parting) / (0.30 + np.maximum(-y, 0) * 0.9)
    return 0.6 * streaks(fan, 60, pixel * 2, seed) + 0.55 * streaks(fan, 22, pixel * 2, seed + 99)


def paint_back(hair: Hair, person: Person) -> None:
    """Hair that falls behind the neck and ears."""
    if person.hair_style in _FALLS:
        alpha = soft_cover(hair.outline, 0.006 + hair.view.pixel)
        _lay(hair.view, person, 0.55 + 0.16 * hair.strands, alpha)


def paint_front(hair: Hair, camera: Camera, person: Person) -> None:
    """Hair over the head and beside the face; hides the skin below it."""
    view = hair.view
    front = shapes.hair_front(person, view.u, view.v) + 0.007 * hair.strands
    edge = 0.008 if person.hair_style != "buzz" else 0.03
    alpha = soft_cover(np.maximum(front, hair.outline), edge + view.pixel)
    shadow = np.exp(np.maximum(front, 0) * -55) * view.skin
    tint(view.rgb, (0.55, 0.48, 0.46), 0.32 * shadow)
    height = (view.y + person.head_top) * (1 / 0.30)
    sheen = np.exp(-(((height - 0.30 - 0.5 * view.x * view.x) * 3.2) ** 2))
    across = view.x * (1 / person.head_width)
    tilt = 1 + 0.5 * camera.photo.light_x * across
    light = (0.82 + 0.42 * sheen - 0.11 * across * across) * tilt * (1 + 0.26 * hair.strands)
    opacity = 0.82 if person.hair_style == "buzz" else 1.0
    _lay(view, person, light, opacity * alpha)
    view.skin[...] *= 1 - alpha


def _lay(view: View, person: Person, light: Array | float, alpha: Array) -> None:
    tone = np.array(person.hair, np.float32)[:, None, None]
    blend(view.rgb, tone * light + 0.004, alpha)
