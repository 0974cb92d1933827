"""Positions of acne lesions on a face, and the appearance of each kind."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from anonderm.core.records import LESION_KINDS, Lesion
from anonderm.phantom import shapes
from anonderm.phantom.condition import Condition
from anonderm.phantom.marks import Patches
from anonderm.phantom.paint import Array, gaussian, unit
from anonderm.phantom.person import Person
from anonderm.phantom.photo import Camera, View
from anonderm.phantom.rosacea import central_density


def _acne_density(person: Person, u: Array, v: Array) -> Array:
    """Predilection sites of acne: cheeks, forehead, chin and jaw, and the nose."""
    cheeks = gaussian(np.abs(u), v, 0.150, 0.12, 0.055, 0.075)
    forehead = gaussian(u, v, 0, -0.14, 0.13, 0.045)
    chin = gaussian(u, v, 0, person.chin - 0.06, 0.075, 0.04)
    nose = gaussian(u, v, 0, person.nose_y - 0.02, 0.03, 0.04)
    return np.minimum(0.12 + 0.85 * cheeks + 0.65 * forehead + 0.7 * chin + 0.4 * nose, 1.0)


def place(person: Person, condition: Condition) -> tuple[Array, Array]:
    """Face coordinates of the spots, always on bare skin; the same for every photo of the person."""
    rng = np.random.default_rng(condition.seed)
    density = central_density if condition.severity == "rosacea" else _acne_density
    found_u: list[Array] = [np.zeros(0, np.float32)]
    found_v: list[Array] = [np.zeros(0, np.float32)]
    missing = len(condition.spots)
    while missing > 0:
        tries = 6 * missing + 16
        u = rng.uniform(-person.head_width, person.head_width, tries).astype(np.float32)
        v = rng.uniform(-person.head_top, person.chin, tries).astype(np.float32)
        kept = rng.random(tries) < density(person, u, v)
        kept[kept] = shapes.bare_skin(person, u[kept], v[kept], 0.010)
        found_u.append(u[kept][:missing])
        found_v.append(v[kept][:missing])
        missing -= len(found_u[-1])
    return np.concatenate(found_u), np.concatenate(found_v)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Spots on the face, one array entry each: face coordinates, pixels, radius as drawn."""

    kinds: np.ndarray
    u: Array
    v: Array
    columns: Array
    rows: Array
    radii: Array
    strengths: Array
    open: Array
    """1 for open comedones (blackheads), else 0."""

    def of_kind(self, kind: str) -> _Placed:
        chosen = self.kinds == kind
        return _Placed(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))


def paint_acne(
    canvas: View, camera: Camera, person: Person, condition: Condition, lesion_scale: float
) -> list[Lesion]:
    """Draw the spots on the canvas' skin; returns each with its box, in pixels, clipped to the picture."""
    if not condition.spots:
        return []
    u, v = place(person, condition)
    spots = condition.spots
    heads = np.random.default_rng((condition.seed, 1)).random(len(spots)) < 0.55
    placed = _Placed(
        np.array([spot.kind for spot in spots]),
        u,
        v,
        *camera.face_to_pixels(u, v),
        np.array([spot.radius for spot in spots], np.float32) * np.float32(lesion_scale),
        np.array([spot.strength for spot in spots], np.float32),
        heads.astype(np.float32),
    )
    for kind in LESION_KINDS:
        _paint_kind(canvas, camera, person, kind, placed.of_kind(kind))
    return _boxes(placed, canvas)


def _boxes(placed: _Placed, canvas: View) -> list[Lesion]:
    reach = placed.radii / canvas.pixel
    sides = (placed.columns - reach, placed.rows - reach, placed.columns + reach, placed.rows + reach)
    clipped = np.clip(np.stack(sides, 1), 0, canvas.x.shape[0])
    return [Lesion(str(kind), *box) for kind, box in zip(placed.kinds, clipped.tolist(), strict=True)]


def _paint_kind(canvas: View, camera: Camera, person: Person, kind: str, placed: _Placed) -> None:
    if len(placed.kinds) == 0:
        return
    patches = Patches(canvas, placed.u, placed.v, placed.columns, placed.rows, float(placed.radii.max()))
    distance = np.sqrt(patches.u**2 + patches.v**2)
    radius = placed.radii[:, None, None]
    photo = camera.photo
    length = math.hypot(photo.light_x, photo.light_y) + 1e-6
    towards = patches.u * (photo.light_x / length) + patches.v * (photo.light_y / length)
    lit = towards / np.maximum(distance, 1e-6)
    look = _look(kind, distance / radius, lit, placed.open[:, None, None])
    # A spot smaller than a pixel colours it by the share that it covers.
    share = np.minimum(1, 2.5 * (radius / canvas.pixel) ** 2)
    alpha = patches.skin * placed.strengths[:, None, None] * share
    keep = np.ones((3, *distance.shape), np.float32)
    for pigment, opacity in look.pigments:
        keep *= 1 + unit(alpha * opacity) * (np.array(pigment, np.float32)[:, None, None, None] - 1)
    keep *= 1 + alpha * look.relief
    if look.cream is None:
        patches.compose(keep, np.broadcast_to(np.float32(0), keep.shape))
    else:
        cream = unit(alpha * look.cream)
        patches.compose(keep * (1 - cream), cream * _cream(person) * (1 + look.relief))


# The appearance of each kind, for rho = distance / radius in 0..1 on arrays [K, S, S]: pigment absorbs, cream
# covers, light is added. Everything ends at rho = 1, so the box is the extent of the drawing.


def _fade(rho: Array, start: float, end: float) -> Array:
    t = unit((end - rho) * (1 / (end - start)))
    return t * t * (3 - 2 * t)


_RED = (0.88, 0.40, 0.46)
_DEEP_RED = (0.76, 0.26, 0.36)
_PLUG = (0.30, 0.24, 0.20)
_PALE = (1.12, 1.10, 1.02)


@dataclass(frozen=True, slots=True)
class _Look:
    """Layers of one kind: pigments with their opacity, cover of cream, and light gained or lost by relief."""

    pigments: tuple[tuple[tuple[float, float, float], Array], ...]
    cream: Array | None
    relief: Array


def _look(kind: str, rho: Array, lit: Array, open_K11: Array) -> _Look:
    """`lit`: how much each pixel faces the light, -1..1; `open_K11` marks open comedones."""
    pigments: tuple[tuple[tuple[float, float, float], Array], ...]
    if kind == "comedone":
        plug = open_K11 * _fade(rho, 0.35, 0.80)
        cap = (1 - open_K11) * _fade(rho, 0.3, 0.9)
        ring = _fade(rho, 0.6, 1.0) * 0.35
        return _Look(((_RED, ring), (_PLUG, 0.9 * plug), (_PALE, cap)), None, 0.22 * lit * cap * rho)
    if kind == "papule":
        pigments = ((_RED, 0.55 * _fade(rho, 0.55, 1.0)), (_RED, 0.85 * _fade(rho, 0.2, 0.75)))
        return _Look(pigments, None, 0.20 * lit * rho * _fade(rho, 0.3, 0.8))
    if kind == "pustule":
        pigments = ((_RED, 0.95 * _fade(rho, 0.55, 1.0)),)
        return _Look(pigments, 0.92 * _fade(rho, 0.28, 0.55), 0.25 * lit * rho * _fade(rho, 0.2, 0.6))
    pigments = ((_RED, 0.6 * _fade(rho, 0.55, 1.0)), (_DEEP_RED, 0.9 * _fade(rho, 0.15, 0.95)))
    return _Look(pigments, None, 0.30 * lit * rho * _fade(rho, 0.5, 1.0))


def _cream(person: Person) -> np.ndarray:
    """Pus is pale yellow on all skin, slightly dimmer on darker faces."""
    dim = 0.55 + 0.45 * min(1.0, person.skin[0] / 0.5)
    return np.array((0.80, 0.68, 0.40), np.float32)[:, None, None, None] * dim
