"""Eyes, brows, nose, mouth and beard."""

import numpy as np

from anonderm.phantom import shapes
from anonderm.phantom.paint import (
    Colour,
    blend,
    cover,
    gaussian,
    mix,
    noise,
    shaded,
    soft_cover,
    streaks,
    stroke,
    times,
    tint,
    unit,
)
from anonderm.phantom.person import Person
from anonderm.phantom.photo import Camera, View

_LASH: Colour = (0.012, 0.009, 0.008)
_PUPIL: Colour = (0.006, 0.005, 0.005)
_SCLERA: Colour = (0.76, 0.72, 0.69)
_CREASE = (0.40, 0.30, 0.27)
_NOSTRIL = (0.16, 0.08, 0.07)


def _hide_skin(view: View, alpha: np.ndarray) -> None:
    view.skin[...] *= 1 - alpha


def paint_eyes(canvas: View, camera: Camera, person: Person) -> None:
    for side in (-1, 1):
        inner, outer = person.eye_gap - person.eye_width - 0.03, person.eye_gap + person.eye_width + 0.03
        view = camera.window(canvas, *shapes.on_side(side, inner, outer), -0.065, 0.05)
        _paint_eye(view, camera, person, side)


def _paint_eye(view: View, camera: Camera, person: Person, side: int) -> None:
    photo, pixel, rgb = camera.photo, view.pixel, view.rgb
    above, below, t = shapes.eye_lids(person, photo, view.u, view.v, side)
    inside = cover(np.maximum(above, below), pixel) * (np.abs(t) < 1)
    # White of the eye, darker towards the lid and the corners.
    white = 0.95 - 0.38 * soft_cover(-above - 0.004, 0.014) - 0.28 * t * t
    blend(rgb, shaded(_SCLERA, white), inside)
    blend(rgb, times(person.lips, 0.9), inside * unit((-t - 0.82) * 8))
    # Iris with a darker rim, pupil, catchlight.
    radius = min(0.46 * person.eye_width, 0.0265)
    dx, dy = view.u - side * person.eye_gap - 0.010 * photo.gaze, view.v + 0.002
    distance = np.sqrt(dx * dx + dy * dy)
    rim = 1.15 - 0.75 * (unit(distance * (1 / radius)) ** 2) ** 2 - 0.45 * soft_cover(-above - 0.005, 0.014)
    blend(rgb, shaded(person.iris, rim), inside * cover(distance - radius, pixel))
    blend(rgb, _PUPIL, inside * cover(distance - radius * 0.42, pixel))
    glint_x, glint_y = dx - 0.30 * radius * (1 if photo.light_x >= 0 else -1), dy + 0.36 * radius
    glint = np.sqrt(glint_x * glint_x + glint_y * glint_y)
    blend(rgb, (0.95, 0.95, 0.95), 0.9 * inside * cover(glint - 0.17 * radius, pixel))
    _hide_skin(view, inside)
    _paint_lids(view, person, above, below, t)


def _paint_lids(view: View, person: Person, above: np.ndarray, below: np.ndarray, t: np.ndarray) -> None:
    pixel, rgb = view.pixel, view.rgb
    within = unit((1.06 - np.abs(t)) * 12)
    lash_width = 0.0055 * (1 + 0.45 * t) * within
    upper = stroke(above - 0.001, lash_width, pixel)
    blend(rgb, _LASH, 0.92 * upper)
    blend(rgb, _LASH, 0.40 * stroke(below, 0.0022 * within, pixel) * within)
    _hide_skin(view, upper)
    if person.crease > 0.1:
        height = 0.0085 + 0.004 * person.crease
        fold = np.exp(-(((above - height) * (1 / 0.0032)) ** 2)) * unit((1.12 - np.abs(t)) * 6)
        tint(rgb, _CREASE, unit(fold * (0.35 + 0.35 * person.crease)))


def paint_brows(canvas: View, camera: Camera, person: Person) -> None:
    colour = mix(person.skin, times(person.hair, 0.75), 0.70 + 0.3 * person.brow_dark)
    if person.hair[1] > 0.25:
        colour = mix(colour, times(person.skin, 0.35), 0.5)
    for side in (-1, 1):
        inner, outer = person.eye_gap - person.eye_width * 1.4, person.eye_gap + person.eye_width * 1.5
        sides = shapes.on_side(side, inner, outer)
        view = camera.window(canvas, *sides, person.brow_y - 0.04, person.brow_y + 0.03)
        distance, s = shapes.brow(person, view.u, view.v, side)
        hairs = streaks(view.u * side + 0.8 * view.v, 230, view.pixel, person.seed)
        alpha = soft_cover(distance + 0.0015 * hairs, 0.006 + view.pixel)
        alpha = alpha * (0.50 + 0.45 * person.brow_dark + 0.15 * hairs) * unit(0.45 + s * 3)
        alpha = unit(alpha)
        blend(view.rgb, colour, alpha)
        _hide_skin(view, cover(distance, view.pixel))


def paint_nose(canvas: View, camera: Camera, person: Person) -> None:
    nose, width = person.nose_y, person.nose_width
    view = camera.window(canvas, -width - 0.03, width + 0.03, nose - 0.04, nose + 0.05)
    u, v, rgb, skin = view.u, view.v, view.rgb, view.skin
    # The base of the nose casts a soft shadow on the lip.
    under = np.exp(-(((v - nose - 0.026) * 75) ** 2)) * unit(1.5 - np.abs(u) * (1.25 / width))
    tint(rgb, (0.55, 0.42, 0.40), 0.55 * under * skin)
    for side in (-1, 1):
        du, dv = u * side - 0.46 * width, v - nose - 0.0175
        tilted = dv + 0.30 * du
        hole = np.sqrt((du * (1 / 0.0125)) ** 2 + (tilted * (1 / 0.0058)) ** 2)
        tint(rgb, _NOSTRIL, 0.90 * soft_cover((hole - 1) * 0.006, 0.004 + view.pixel))
        wing_u, wing_v = u * side - 0.66 * width, v - nose - 0.004
        wing = np.sqrt((wing_u * (1 / (0.36 * width))) ** 2 + (wing_v * (1 / 0.0195)) ** 2)
        outer = unit((wing_u * (1 / (0.36 * width)) + 0.25) * 2)
        tint(rgb, _CREASE, 0.50 * outer * np.exp(-(((wing - 1.05) * 0.0195 * 190) ** 2)))
    tip = gaussian(u, v, 0.006 * camera.photo.light_x, nose - 0.012, 0.011, 0.009)
    rgb += 0.05 * tip * camera.photo.contrast


def paint_mouth(canvas: View, camera: Camera, person: Person) -> None:
    photo, reach = camera.photo, person.mouth_width * 1.25
    view = camera.window(canvas, -reach, reach, person.mouth_y - 0.05, person.mouth_y + 0.06)
    edge, line, t = shapes.mouth(person, photo, view.u, view.v)
    pixel, rgb = view.pixel, view.rgb
    alpha = soft_cover(edge, 0.003 + pixel)
    upper = soft_cover(line, 0.004 + pixel)
    folds = 1 + 0.10 * streaks(view.u, 190, pixel, person.seed)
    shape = (1.04 - 0.26 * upper - 0.30 * unit(line * (1 / person.lip_lower)) ** 2 - 0.12 * t * t) * folds
    # Lips inherit the light on the skin: the skin's luminance relative to its own colour.
    lit = view.rgb[1] * (1 / max(person.skin[1], 1e-3))
    blend(rgb, shaded(person.lips, shape * (0.45 + 0.55 * unit(lit))), 0.93 * alpha)
    gloss = gaussian(view.u, view.v, 0.0, person.mouth_y + 0.40 * person.lip_lower, 0.026, 0.0045)
    rgb += 0.07 * gloss * alpha * photo.contrast
    parting = 0.0042 * unit((1.06 - np.abs(t)) * 7)
    tint(rgb, (0.18, 0.09, 0.08), 0.92 * stroke(line, parting, pixel))
    corner = np.exp(-(((np.abs(t) - 1.02) * 14) ** 2) - (line * 130) ** 2)
    tint(rgb, _CREASE, 0.55 * corner)
    _hide_skin(view, cover(edge, pixel))


def paint_beard(canvas: View, camera: Camera, person: Person) -> None:
    if not (person.beard or person.stubble):
        return
    reach = person.head_width + 0.02
    view = camera.window(canvas, -reach, reach, 0.0, person.chin + 0.03)
    u, v = view.u, view.v
    dense = shapes.beard(person, u, v)
    grain = noise(u, v, 150, view.pixel, person.seed) + 0.6 * noise(u, v * 0.4, 60, view.pixel, person.seed)
    head = soft_cover(shapes.head(person, view.x, view.y) - 0.010, 0.008 + view.pixel)
    lips = cover(-shapes.mouth(person, camera.photo, u, v)[0], view.pixel)
    dense = dense * head * lips
    if person.beard:
        alpha = unit(dense * (0.62 + 0.33 * person.beard) * (1 + 0.16 * grain))
        tone = mix(times(person.hair, 0.8), times(person.skin, 0.25), 0.15)
        light = 1 + 0.22 * grain - 0.25 * unit((v - person.mouth_y) * 5)
        blend(view.rgb, shaded(tone, light), alpha)
        _hide_skin(view, np.where(dense > 0.3, np.float32(1), alpha))
    else:
        alpha = unit(dense * 0.55 * person.stubble * (1 + 0.35 * grain)) * view.skin
        tint(view.rgb, (0.42, 0.42, 0.46), alpha)
