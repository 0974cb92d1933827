"""Backdrop, body, ears and the lit skin of the face."""

import math

import numpy as np

from anonderm.phantom import shapes
from anonderm.phantom.paint import Array, blend, cover, gaussian, noise, shaded, soft_cover, tint, unit
from anonderm.phantom.person import Person
from anonderm.phantom.photo import Camera, Photo, View

_AMBIENT = 0.50
_TYPICAL_SHADE = 0.935  # median share of full light on the relief of an average face under neutral light
_BLOOD = (0.92, 0.66, 0.70)
_SHADOW = (0.58, 0.47, 0.44)


def paint_backdrop(canvas: View, person: Person) -> None:
    height, width = canvas.x.shape
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    glow = 1.08 - 0.22 * (across * across + (down - 0.4) ** 2)
    top = np.array(person.backdrop_top, np.float32)[:, None, None]
    bottom = np.array(person.backdrop_bottom, np.float32)[:, None, None]
    canvas.rgb[...] = (top + down * (bottom - top)) * glow


def paint_body(canvas: View, person: Person) -> None:
    """Neck and clothes, both behind the head."""
    x, y, rgb, pixel = canvas.x, canvas.y, canvas.rgb, canvas.pixel
    low = slice(int(x.shape[0] * 0.62), None)
    xl, yl, part = x[low], y[low], rgb[:, low]
    spread = np.maximum(yl - 0.43, 0)
    neck = np.abs(xl) - person.head_width * (0.52 + 0.19 * person.jaw) - 2.5 * spread * spread
    alpha = cover(np.maximum(neck, 0.15 - yl), pixel)
    round_off = 1 - 0.4 * unit(np.abs(xl) * (1.3 / person.head_width)) ** 2
    under_chin = soft_cover(shapes.head(person, xl, yl - 0.045), 0.10)
    shade = round_off * (1 - 0.5 * under_chin)
    blend(part, shaded(person.skin, 0.9 * shade), alpha)
    collar = 0.465 + 0.16 * np.maximum(np.abs(xl) - 0.16, 0) + 0.6 * np.maximum(0.16 - np.abs(xl), 0)
    fold = 0.9 + 0.1 * np.cos(xl * 23) * unit((yl - 0.44) * 6)
    blend(part, shaded(person.clothes, fold), cover((collar - yl) * 0.9, pixel))


def paint_ears(canvas: View, camera: Camera, person: Person) -> None:
    if person.hair_style in ("bob", "long", "curls", "afro"):
        return
    width, height = 0.030 * person.ear, 0.062 * person.ear
    for side in (-1, 1):
        # The ear on the far side disappears as the head turns.
        centre = side * (person.head_width + 0.006) - 0.05 * math.sin(camera.photo.yaw)
        view = camera.window(canvas, centre - 0.06, centre + 0.06, -0.08, 0.14)
        dx, dy = (view.x - centre) * (1 / width), (view.y - 0.028) * (1 / height)
        dx = dx - side * 0.25 * dy * dy + side * 0.3 * dy * 0.5
        radius = np.sqrt(dx * dx + dy * dy)
        shade = 0.86 - 0.32 * np.exp(-(((radius - 0.45) * 4.5) ** 2))
        tone = (person.skin[0] * 0.98, person.skin[1] * 0.84, person.skin[2] * 0.82)
        blend(view.rgb, shaded(tone, shade), cover((radius - 1) * width, view.pixel))


def paint_face(canvas: View, camera: Camera, person: Person) -> None:
    """Ears, then the head: skin colour, relief, light and shadows; sets the canvas' share of skin."""
    paint_ears(canvas, camera, person)
    photo = camera.photo
    part = camera.bounds(
        -person.head_width - 0.03, person.head_width + 0.03, -person.head_top - 0.03, person.chin + 0.03
    )
    view = canvas.part(part)
    alpha = cover(shapes.head(person, view.x, view.y), view.pixel)
    view.skin[...] = alpha
    u, v, pixel = view.u, view.v, view.pixel
    slope_x, slope_y = _bump_slopes(canvas, camera, person)
    shade, gloss = _light(view, photo, person, slope_x[part], slope_y[part])
    grain = 0.020 * noise(u, v, 11, pixel, person.seed) + 0.018 * noise(u, v, 43, pixel, person.seed + 7)
    grain = grain + 0.035 * noise(u, v, 170, pixel, person.seed + 3)
    blend(view.rgb, shaded(person.skin, shade * (1 / _TYPICAL_SHADE) * (1 + grain)) + gloss, alpha)
    _colour(canvas, camera, person)


def _bumps(person: Person, photo: Photo) -> list[tuple[float, float, float, float, float]]:
    """The face's relief as hills: centre u, v, widths (as of Gaussians), height."""
    nose, mouth, gap, relief = person.nose_y, person.mouth_y, person.eye_gap, person.nose_relief
    cheek = (0.019 + 0.010 * photo.smile) * person.cheek
    bumps = [
        (0.0, 0.02, 0.019, 0.055, 0.020 * relief),
        (0.0, nose - 0.035, 0.020, 0.040, 0.016 * relief),
        (0.0, nose - 0.004, 0.026, 0.022, 0.024 * relief),
        (0.0, mouth - person.lip_upper * 0.8, 0.052, 0.012, 0.006),
        (0.0, mouth + person.lip_lower * 0.5, 0.050, 0.014, 0.012),
        (0.0, mouth + person.lip_lower + 0.024, 0.055, 0.013, -0.011),
        (0.0, person.chin - 0.055, 0.050, 0.034, 0.019),
        (0.0, -0.165, 0.16, 0.06, 0.016),
    ]
    for side in (-1, 1):
        bumps += [
            (side * person.nose_width * 0.80, nose + 0.006, 0.014, 0.014, 0.013 * relief),
            (side * gap * 0.93, -0.012, 0.050, 0.027, -0.019),
            (side * gap, 0.0, 0.034, 0.019, 0.010),
            (side * gap, person.brow_y + 0.006, 0.060, 0.018, 0.008),
            (side * 0.150, 0.092 - 0.008 * photo.smile, 0.060, 0.045, cheek),
            (side * (person.nose_width + 0.040), mouth - 0.030, 0.018, 0.040, -0.006 * (0.5 + person.age)),
        ]
    return bumps


def _bump_slopes(canvas: View, camera: Camera, person: Person) -> tuple[Array, Array]:
    """Slopes of the relief to the right and downwards, on the whole canvas.

    A hill is height * (1 - r^2 / 6)^3, which is close to a Gaussian and ends smoothly at r = sqrt(6).
    """
    slope_x, slope_y = np.zeros_like(canvas.u), np.zeros_like(canvas.u)
    for u, v, su, sv, height in _bumps(person, camera.photo):
        part = camera.bounds(u - 2.45 * su, u + 2.45 * su, v - 2.45 * sv, v + 2.45 * sv)
        pu, pv = canvas.u[part] - u, canvas.v[part] - v
        hill = np.maximum(1 - pu * pu * (1 / (6 * su * su)) - pv * pv * (1 / (6 * sv * sv)), 0)
        hill *= hill
        slope_x[part] += hill * pu * (height / (su * su))
        slope_y[part] += hill * pv * (height / (sv * sv))
    return slope_x, slope_y


def _light(view: View, photo: Photo, person: Person, slope_x: Array, slope_y: Array) -> tuple[Array, Array]:
    """Diffuse light (1 where the surface faces the viewer) and specular gloss."""
    down = view.y - shapes.HEAD_CENTRE
    across = view.x * (1 / person.head_width)
    vertical = down * (1 / 0.37)
    # A dome flat in the middle and steep at the outline.
    slope_x = slope_x + 0.75 * across * (np.abs(across) + (across * across) ** 2)
    slope_y = slope_y + vertical * (0.32 * np.abs(vertical) + 0.45 * (vertical * vertical) ** 2)
    light_x, light_y, light_z = photo.light_x, photo.light_y, 0.93
    inverse = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    facing = (slope_x * light_x + slope_y * light_y + light_z) * inverse
    shade = 1 + photo.contrast * (1 - _AMBIENT) * (np.maximum(facing, 0) * (1 / light_z) - 1)
    # Half-vector gloss; the same added light is more visible on darker skin, as in photos.
    length = math.sqrt(light_x**2 + light_y**2 + (1 + light_z) ** 2)
    half = (slope_x * light_x + slope_y * light_y + 1 + light_z) * inverse * (1 / length)
    half2 = half * half
    half8 = half2 * half2 * half2 * half2
    gloss = 0.045 * photo.contrast * (half8 * half8 * half8)
    return shade, gloss


def _colour(canvas: View, camera: Camera, person: Person) -> None:
    """Blood near the surface, and shadows that the relief alone does not cast."""
    flush = 0.18 + 0.42 * person.flush
    nose = camera.window(canvas, -0.10, 0.10, -0.06, 0.26)
    tip = gaussian(nose.u, nose.v, 0.0, person.nose_y, 0.042, 0.036)
    tint(nose.rgb, _BLOOD, 0.7 * flush * tip * nose.skin)
    for side in (-1, 1):
        cheek = camera.window(canvas, *shapes.on_side(side, 0.01, 0.27), -0.02, 0.23)
        apple = gaussian(cheek.u, cheek.v, side * 0.145, 0.105, 0.055, 0.042)
        tint(cheek.rgb, _BLOOD, flush * apple * cheek.skin)
        eye = camera.window(canvas, *shapes.on_side(side, 0.02, 0.23), -0.09, 0.10)
        socket = gaussian(eye.u, eye.v, side * person.eye_gap * 0.80, -0.018, 0.045, 0.022)
        bag = gaussian(eye.u, eye.v, side * person.eye_gap * 0.95, 0.034, 0.034, 0.011)
        tint(eye.rgb, _SHADOW, (0.30 * socket + (0.14 + 0.22 * person.age) * bag) * eye.skin)
        _smile_line(canvas, camera, person, side)
    chin = camera.window(canvas, -0.22, 0.22, person.chin - 0.08, person.chin + 0.03)
    rim = soft_cover(-0.012 - shapes.head(person, chin.x, chin.y), 0.03) * 0.25
    tint(chin.rgb, _SHADOW, rim * chin.skin * unit((chin.y - 0.2) * 6))
    if person.age > 0.45:
        _forehead_lines(canvas, camera, person)


def _smile_line(canvas: View, camera: Camera, person: Person, side: int) -> None:
    """The fold from the nose past the corner of the mouth, deeper with age and with a smile."""
    nose = person.nose_y
    view = camera.window(canvas, *shapes.on_side(side, 0.03, 0.17), nose - 0.03, person.mouth_y + 0.06)
    along = unit((view.v - nose + 0.01) * (1 / (person.mouth_y - nose + 0.02)))
    path = person.nose_width + 0.012 + 0.052 * along * (0.7 + 0.3 * along)
    crease = np.exp(-(((view.u * side - path) * (1 / 0.007)) ** 2))
    ends = soft_cover(np.abs(along - 0.45) - 0.36, 0.2) * (view.v > nose - 0.012)
    depth = 0.6 * (0.05 + 0.40 * person.age + 0.25 * camera.photo.smile)
    tint(view.rgb, _SHADOW, depth * crease * ends * view.skin)


def _forehead_lines(canvas: View, camera: Camera, person: Person) -> None:
    view = camera.window(canvas, -0.17, 0.17, person.brow_y - 0.12, person.brow_y)
    for row in range(3):
        height = person.brow_y - 0.045 - 0.026 * row + 0.006 * np.cos(view.u * 17 + row)
        line = np.exp(-(((view.v - height) * 320) ** 2)) * unit(1.6 - np.abs(view.u) * 11)
        tint(view.rgb, _SHADOW, 0.5 * (person.age - 0.4) * line * view.skin)
