"""Outlines of a face as signed distances (negative inside), used to paint pixels and to place lesions."""

import numpy as np

from anonderm.phantom.paint import Array, soft_cover, unit
from anonderm.phantom.person import Person
from anonderm.phantom.photo import Photo

HEAD_CENTRE = 0.04  # height of the cheekbones, at which the head is widest
SKULL = 0.6  # how square the upper head is


def on_side(side: int, inner: float, outer: float) -> tuple[float, float]:
    """Left and right end of an interval on one side of the face, 1 (right) or -1 (left)."""
    return (inner, outer) if side > 0 else (-outer, -inner)


def rounded(across: Array, down: Array, square: Array | float) -> Array:
    """Gauge, 1 on the outline, of a shape between an ellipse (square 0) and one of power 4 (square 1)."""
    a, b = across * across, down * down
    total: Array = (1 - square) * np.sqrt(a + b) + square * np.sqrt(np.sqrt(a * a + b * b))
    return total


def along_ray(x: Array, y: Array, gauge: Array) -> Array:
    """Signed distance to the outline gauge = 1, along the ray from the origin.

    The gauge is of degree one: the point p / gauge(p) lies on the outline.
    """
    distance: Array = np.sqrt(x * x + y * y) * (1 - 1 / np.maximum(gauge, 1e-3))
    return distance


def head(person: Person, x: Array, y: Array) -> Array:
    """The head: a squarish dome above the cheekbones, below them a jaw that narrows to the chin."""
    down = y - HEAD_CENTRE
    above = down < 0
    low = np.maximum(down, 0) * (1 / (person.chin - HEAD_CENTRE))
    across = x / (person.head_width * (1 - person.taper * low))
    high = down * (1 / (person.head_top + HEAD_CENTRE))
    square = np.where(above, np.float32(SKULL), np.float32(person.jaw))
    return along_ray(x, down, rounded(across, np.where(above, high, low), square))


def eye_lids(person: Person, photo: Photo, u: Array, v: Array, side: int) -> tuple[Array, Array, Array]:
    """Distances past the upper and past the lower lid, and position t along the eye (-1 inner, 1 outer)."""
    along = u * side - person.eye_gap
    across = v + along * person.eye_tilt
    t = along * (1 / person.eye_width)
    arc = 1 - t * t
    opening = person.eye_open * photo.eyes_open
    # The upper lid peaks a little towards the nose, the lower lid towards the temple.
    upper = -opening * 1.05 * arc * (1 - 0.18 * t)
    lower = opening * (0.78 - 0.18 * photo.smile) * arc * (1 + 0.22 * t)
    slope = np.sqrt(1 + (2.0 * opening / person.eye_width * t) ** 2)
    return (upper - across) / slope, (across - lower) / slope, t


def eye(person: Person, photo: Photo, u: Array, v: Array, side: int) -> Array:
    above, below, t = eye_lids(person, photo, u, v, side)
    return np.maximum(np.maximum(above, below), (np.abs(t) - 1) * person.eye_width)


def brow(person: Person, u: Array, v: Array, side: int) -> tuple[Array, Array]:
    """Distance to the brow's edge, and position along it (0 inner end, 1 outer end)."""
    length = person.eye_width * 2.35
    s = (u * side - (person.eye_gap - person.eye_width * 1.12)) * (1 / length)
    inside = unit(s)
    centre = person.brow_y - person.brow_tilt * length * (inside - 0.5)
    centre = centre - person.brow_arch * (1 - (2 * inside - 1.25) ** 2)
    half = person.brow_thick * 0.5 * (1.08 - 0.12 * inside - 0.75 * inside * inside * inside)
    beyond = (s - inside) * length
    return np.sqrt((v - centre) ** 2 + beyond * beyond) - half, s


def mouth(person: Person, photo: Photo, u: Array, v: Array) -> tuple[Array, Array, Array]:
    """Distances to the lips' outline and to the line between them, and position t across (-1..1)."""
    width = person.mouth_width * (1 + 0.13 * photo.smile)
    t = u * (1 / width)
    near = np.minimum(np.abs(t), 1.15)
    curve = person.mouth_curve + 0.016 * photo.smile
    line = v - (person.mouth_y - curve * (near * near - 0.35))
    arc = 1 - near * near
    bow = 1 - 0.30 * np.exp(-((near * 6.5) ** 2)) + 0.12 * np.exp(-(((near - 0.27) * 5) ** 2))
    upper = -person.lip_upper * (1 - 0.12 * photo.smile) * arc * bow - 0.001
    fullness = np.sqrt(np.maximum(arc, 0)) * (0.75 + 0.25 * arc)
    lower = person.lip_lower * (1 - 0.15 * photo.smile) * fullness + 0.001
    slope = np.sqrt(1 + (2 * person.lip_lower / width * near) ** 2)
    edge = np.maximum(np.maximum(upper - line, line - lower) / slope, (np.abs(t) - 1) * width)
    return edge, line, t


def hairline(person: Person, u: Array) -> Array:
    """Height of the hair's lower edge over the forehead, at each u."""
    across = np.abs(u) * (1 / person.head_width)
    edge = person.hairline + 0.15 * (across * across) ** 2 + person.peak * np.exp(-((u * 32) ** 2))
    if person.recede:
        edge = edge - person.recede * np.exp(-(((across - 0.5) * 4) ** 2))
    if person.hair_style in ("swept", "bob", "long"):
        part = 0.45 * person.parting * person.head_width
        edge = edge + 0.26 * np.abs(u - part) * np.abs(person.parting)
    if person.fringe:
        gap = np.exp(-(((u - 0.06 * person.parting) * 26) ** 2)) * max(0.0, person.parting - 0.2)
        edge = np.maximum(edge, person.hairline + person.fringe * (1 - gap) + 0.02 * (1 - across * across))
    result: Array = edge
    return result


def hair_front(person: Person, u: Array, v: Array) -> Array:
    """Hair over the forehead and, where it is long, down the sides of the face."""
    if person.hair_style == "bald":
        return np.full_like(u, 1.0)
    over = (v - hairline(person, u)) * 0.8
    if person.hair_style in ("bob", "long", "curls", "afro"):
        inner = person.head_width * (0.95 if person.hair_style in ("curls", "afro") else 0.90)
        bulge = 0.10 * np.maximum(-v - 0.02, 0) - 0.06 * np.maximum(v - 0.15, 0)
        over = np.minimum(over, inner - np.abs(u) + bulge)
    else:
        sideburn = np.maximum(person.head_width * 0.95 - np.abs(u), v - 0.04)
        over = np.minimum(over, sideburn + 0.25 * np.maximum(v + 0.05, 0))
    return over


def bare_skin(person: Person, u: Array, v: Array, margin: float) -> np.ndarray:
    """Where a face without pose or expression shows skin, at least `margin` from anything else; bool."""
    photo = Photo()
    clear = (head(person, u, v) < -margin) & (hair_front(person, u, v) > margin)
    clear &= mouth(person, photo, u, v)[0] > margin
    for side in (-1, 1):
        clear &= eye(person, photo, u, v, side) > margin + 0.008
        clear &= brow(person, u, v, side)[0] > margin
    if person.beard:
        clear &= beard(person, u, v) < 0.3
    return np.asarray(clear)


def beard(person: Person, u: Array, v: Array) -> Array:
    """Density of beard hair, 0..1: below a line from ear to mouth corner, and a moustache."""
    across = np.abs(u)
    start = person.mouth_width * 0.95
    rise = (person.mouth_y - 0.055) / (person.head_width - start)
    jaw = unit((v - person.mouth_y + 0.004 + rise * np.maximum(across - start, 0)) * 32 + 0.5)
    # Free of hair: the corner below the lip on either side of the soul patch.
    bare = np.exp(-(((across - 0.055) * 30) ** 2) - ((v - person.mouth_y - 0.030) * 55) ** 2)
    above_lip = np.abs(v - person.mouth_y + 0.031 - 0.10 * across) - 0.0145
    moustache = soft_cover(above_lip, 0.012) * unit(2.6 - across * 24)
    result: Array = np.maximum(jaw * (1 - 0.7 * bare), moustache)
    return result
