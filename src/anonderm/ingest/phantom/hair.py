"""Hair behind the head and over it."""

from __future__ import annotations

import numpy as np

from anonderm.ingest.phantom import shapes
from anonderm.ingest.phantom.paint import Array, blend, noise, soft_cover, streaks, tint, unit
from anonderm.ingest.phantom.person import Person
from anonderm.ingest.phantom.photo import Camera, View

# How far hair stands out above the head and beside it, and how far down it falls, in photo widths.
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


def _outline(canvas: View, person: Person) -> Array:
    """Distance to the outline of all the hair, in head coordinates."""
    top, side, fall = _SHAPES[person.hair_style]
    top, side = top * person.hair_volume, side * (0.5 + 0.5 * person.hair_volume)
    x, y = canvas.x, canvas.y
    if person.hair_style == "curls" or person.hair_style == "afro":
        ripple = 0.010 * noise(x, y, 22, canvas.pixel, person.seed) + 0.006 * noise(x, y, 55, canvas.pixel, person.seed)
    else:
        ripple = 0.003 * noise(x, y, 30, canvas.pixel, person.seed)
    width, height = person.head_width + side, person.head_top + shapes.HEAD_CENTRE + top
    down = y - shapes.HEAD_CENTRE
    gauge = shapes.dome(x * (1 / width), np.minimum(down, 0) * (1 / height))
    radius = np.sqrt(x * x + np.minimum(down, 0) ** 2)
    distance = radius * (1 - 1 / np.maximum(gauge, 1e-3))
    if fall:
        narrow = 0.10 if person.hair_style == "bob" else 0.03
        sides = np.abs(x) - width + narrow * np.maximum(down - 0.1, 0) ** 1.2
        ends = y - fall + 0.35 * x * x
        rounded = np.sqrt(np.maximum(sides + 0.06, 0) ** 2 + np.maximum(ends + 0.06, 0) ** 2) - 0.06
        distance = np.where(down < 0, distance, rounded)
    else:
        # Short hair lies ever closer to the head on its way down to the ear.
        distance = np.maximum(distance + side * unit((down + 0.16) * 7), down - 0.02)
    result: Array = distance + ripple
    return result


def _strands(view: View, person: Person) -> Array | float:
    """Light and dark along the strands, about -1..1."""
    x, y, pixel = view.x, view.y, view.pixel
    if person.hair_style in ("curls", "afro", "buzz"):
        cells = {"curls": 48, "afro": 80, "buzz": 150}[person.hair_style]
        return noise(x, y, cells, pixel, person.seed) + 0.5 * noise(x, y, 18, pixel, person.seed + 5)
    crown = 0.10 * person.parting
    # Strands run from the crown over the forehead and straight down beside the face.
    fan = (x - crown) / (0.30 + np.maximum(-y, 0) * 0.9)
    return 0.6 * streaks(fan, 60, pixel * 2, person.seed) + 0.55 * streaks(fan, 22, pixel * 2, person.seed + 99)


def _lay(view: View, person: Person, light: Array | float, alpha: Array) -> None:
    tone = np.array(person.hair, np.float32)[:, None, None]
    blend(view.rgb, tone * light + 0.004, alpha)


def paint_back_hair(canvas: View, person: Person) -> None:
    """Hair that falls behind the neck and ears."""
    if person.hair_style not in _FALLS:
        return
    alpha = soft_cover(_outline(canvas, person), 0.006 + canvas.pixel)
    light = 0.55 + 0.16 * _strands(canvas, person)
    _lay(canvas, person, light, alpha)


def paint_front_hair(canvas: View, camera: Camera, person: Person) -> None:
    """Hair over the head and beside the face; hides the skin below it."""
    if person.hair_style == "bald":
        return
    wide = person.head_width + 0.17
    bottom = 0.6 if person.hair_style in _FALLS else 0.12
    view = camera.window(canvas, -wide, wide, -person.head_top - 0.2, bottom)
    strands = _strands(view, person)
    front = shapes.hair_front(person, view.u, view.v) + 0.007 * strands
    outline = _outline(view, person)
    edge = 0.008 if person.hair_style != "buzz" else 0.03
    alpha = soft_cover(np.maximum(front, outline), edge + view.pixel)
    # A soft shadow of the hair on the forehead.
    shadow = np.exp(-np.maximum(front, 0) * 55) * view.skin
    tint(view.rgb, (0.55, 0.48, 0.46), 0.32 * shadow)
    height = (view.y + person.head_top) * (1 / 0.30)
    sheen = np.exp(-((height - 0.30 - 0.5 * view.x * view.x) * 3.2) ** 2)
    side = unit(np.abs(view.x) * (1 / wide))
    tilt = 1 + 0.5 * camera.photo.light_x * view.x * (1 / person.head_width)
    light = (0.82 + 0.42 * sheen - 0.30 * side**3) * tilt * (1 + 0.26 * strands)
    opacity = 0.82 if person.hair_style == "buzz" else 1.0
    _lay(view, person, light, opacity * alpha)
    view.skin[...] *= 1 - alpha
