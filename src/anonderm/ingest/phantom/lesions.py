"""What is wrong with the skin: acne lesions, rosacea, and harmless marks as distractors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from anonderm.core.errors import ConfigError
from anonderm.core.records import LESION_KINDS, Lesion
from anonderm.ingest.phantom import shapes
from anonderm.ingest.phantom.marks import Patches
from anonderm.ingest.phantom.paint import Array, gaussian, noise, stroke, tint, unit
from anonderm.ingest.phantom.person import Person
from anonderm.ingest.phantom.photo import Camera, View

CLASSES = ("healthy", "mild", "moderate", "severe", "very severe", "rosacea")

# Lesions a face: lower quartile, median, upper quartile of the experts' counts on ACNE04 (Wu et al. 2019).
COUNT_QUARTILES = {"mild": (7, 12, 21), "moderate": (14, 22, 36), "severe": (27, 44, 73), "very severe": (58, 74, 124)}
# Radius as a share of photo width on ACNE04: 5th, 50th, 95th percentile.
RADIUS_PERCENTILES = (0.0032, 0.0068, 0.0167)
_KIND_SHARES = {
    "mild": (0.64, 0.29, 0.07, 0.00),
    "moderate": (0.40, 0.38, 0.19, 0.03),
    "severe": (0.24, 0.40, 0.26, 0.10),
    "very severe": (0.18, 0.37, 0.28, 0.17),
    "rosacea": (0.00, 0.75, 0.25, 0.00),
}
_KIND_SIZES = {"comedone": 0.65, "papule": 1.0, "pustule": 1.15, "nodule": 2.2}
_Z_QUARTILE, _Z_95 = 0.67449, 1.64485


@dataclass(frozen=True, slots=True)
class Spot:
    """One lesion to draw: kind, radius as a share of photo width, and how marked it is (about 1)."""

    kind: str
    radius: float
    strength: float


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of a person's skin; `seed` decides where the spots and vessels lie on the face."""

    severity: str
    spots: tuple[Spot, ...] = ()
    erythema: float = 0.0
    vessels: int = 0
    seed: int = 0


def _two_piece_lognormal(
    rng: np.random.Generator, low: float, median: float, high: float, z: float, count: int
) -> np.ndarray:
    """Lognormal draws whose quantiles at -z, 0 and +z are low, median and high; tails end at 2.4 deviations."""
    normal = np.clip(rng.normal(size=count), -2.4, 2.4)
    scale = np.where(normal < 0, math.log(median / low), math.log(high / median)) / z
    return median * np.exp(scale * normal)


def sample_condition(rng: np.random.Generator, severity: str) -> Condition:
    """A random condition of this class. Raises ConfigError for a class that is not one of CLASSES."""
    if severity not in CLASSES:
        raise ConfigError(f"the phantom has no class {severity!r}.", f"Choose from: {', '.join(CLASSES)}.")
    seed = int(rng.integers(2**31))
    if severity == "healthy":
        return Condition(severity, seed=seed)
    if severity == "rosacea":
        spots = _sample_spots(rng, severity, int(rng.integers(2, 15)))
        return Condition(severity, spots, float(rng.uniform(0.6, 1.1)), int(rng.integers(6, 18)), seed)
    low, median, high = COUNT_QUARTILES[severity]
    count = max(1, round(float(_two_piece_lognormal(rng, low, median, high, _Z_QUARTILE, 1)[0])))
    return Condition(severity, _sample_spots(rng, severity, count), seed=seed)


def _sample_spots(rng: np.random.Generator, severity: str, count: int) -> tuple[Spot, ...]:
    """Radii first, then kinds handed out so that the larger spots tend to be nodules and the smaller comedones.

    So the radii follow ACNE04 whatever the mixture of kinds is.
    """
    low, median, high = RADIUS_PERCENTILES
    radii = np.sort(_two_piece_lognormal(rng, low, median, high, _Z_95, count))
    kinds = rng.choice(LESION_KINDS, size=count, p=_KIND_SHARES[severity])
    tendency = np.log([_KIND_SIZES[kind] for kind in kinds]) + rng.normal(0, 0.35, count)
    ordered = kinds[np.argsort(tendency)]
    strengths = np.clip(rng.normal(1.0, 0.15, count), 0.65, 1.35)
    return tuple(
        Spot(str(kind), float(radius), float(strength))
        for kind, radius, strength in zip(ordered, radii, strengths, strict=True)
    )


def _acne_density(person: Person, u: Array, v: Array) -> Array:
    """Where acne likes to sit: cheeks, forehead, chin and jaw, and the nose."""
    cheeks = gaussian(np.abs(u), v, 0.150, 0.12, 0.055, 0.075)
    forehead = gaussian(u, v, 0, -0.14, 0.13, 0.045)
    chin = gaussian(u, v, 0, person.chin - 0.06, 0.075, 0.04)
    nose = gaussian(u, v, 0, person.nose_y - 0.02, 0.03, 0.04)
    return np.minimum(0.12 + 0.85 * cheeks + 0.65 * forehead + 0.7 * chin + 0.4 * nose, 1.0)


def _central_density(person: Person, u: Array, v: Array) -> Array:
    """Where rosacea sits: cheeks near the nose, nose, middle of the forehead, chin."""
    cheeks = gaussian(np.abs(u), v, 0.115, 0.10, 0.050, 0.045)
    nose = gaussian(u, v, 0, person.nose_y - 0.02, 0.034, 0.045)
    forehead = gaussian(u, v, 0, -0.145, 0.065, 0.030)
    chin = gaussian(u, v, 0, person.chin - 0.055, 0.050, 0.030)
    return np.minimum(cheeks + 0.95 * nose + 0.65 * forehead + 0.7 * chin, 1.0)


def place(person: Person, condition: Condition) -> tuple[Array, Array]:
    """Face coordinates of the condition's spots, always on bare skin; the same for every photo of the person."""
    rng = np.random.default_rng(condition.seed)
    density = _central_density if condition.severity == "rosacea" else _acne_density
    found_u: list[Array] = []
    found_v: list[Array] = []
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
    if not found_u:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    return np.concatenate(found_u), np.concatenate(found_v)


# How each kind looks, for rho = distance / radius in 0..1 on arrays [K, S, S]: pigment absorbs, cream covers,
# light is added. Everything ends at rho = 1, so the box is the drawn extent.


def _fade(rho: Array, start: float, end: float) -> Array:
    t = unit((end - rho) * (1 / (end - start)))
    return t * t * (3 - 2 * t)


_RED = (0.88, 0.40, 0.46)
_DEEP_RED = (0.76, 0.26, 0.36)
_PLUG = (0.30, 0.24, 0.20)
_PALE = (1.12, 1.10, 1.02)


@dataclass(frozen=True, slots=True)
class _Look:
    """Layers of one kind: pigments with their opacity, cover of cream, and light added or taken by its relief."""

    pigments: tuple[tuple[tuple[float, float, float], Array], ...]
    cream: Array | None
    relief: Array


def _look(kind: str, rho: Array, lit: Array, open_K: Array) -> _Look:
    """`lit`: direction of each pixel from the centre against the light, -1..1; `open_K` marks black heads."""
    if kind == "comedone":
        plug = open_K * _fade(rho, 0.35, 0.80)
        cap = (1 - open_K) * _fade(rho, 0.3, 0.9)
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
    """Pus is pale yellow on every skin, a little dimmer in a darker face's exposure."""
    dim = 0.55 + 0.45 * min(1.0, person.skin[0] / 0.5)
    return np.array((0.80, 0.68, 0.40), np.float32)[:, None, None] * dim


def paint_acne(
    canvas: View, camera: Camera, person: Person, condition: Condition, lesion_scale: float
) -> list[Lesion]:
    """Draw the spots on the canvas' skin; returns each with its box, in pixels, clipped to the picture."""
    if not condition.spots:
        return []
    u, v = place(person, condition)
    columns, rows = camera.face_to_pixels(u, v)
    rng = np.random.default_rng((condition.seed, 1))
    opens = (rng.random(len(u)) < 0.55).astype(np.float32)
    radii = np.array([spot.radius for spot in condition.spots], np.float32) * np.float32(lesion_scale)
    strengths = np.array([spot.strength for spot in condition.spots], np.float32)
    # The place of a spot must not follow from its size: radii come sorted, places do not.
    kinds = np.array([spot.kind for spot in condition.spots])
    for kind in LESION_KINDS:
        chosen = np.flatnonzero(kinds == kind)
        if len(chosen):
            _paint_kind(canvas, camera, person, kind, u[chosen], v[chosen], columns[chosen], rows[chosen],
                        radii[chosen], strengths[chosen], opens[chosen])
    size, reach = canvas.x.shape[0], radii / canvas.pixel
    return [
        Lesion(
            str(kinds[i]),
            max(0.0, float(columns[i] - reach[i])),
            max(0.0, float(rows[i] - reach[i])),
            min(float(size), float(columns[i] + reach[i])),
            min(float(size), float(rows[i] + reach[i])),
        )
        for i in range(len(u))
    ]


def _paint_kind(
    canvas: View,
    camera: Camera,
    person: Person,
    kind: str,
    u: Array,
    v: Array,
    columns: Array,
    rows: Array,
    radii: Array,
    strengths: Array,
    opens: Array,
) -> None:
    patches = Patches(canvas, u, v, columns, rows, float(radii.max()))
    radius, pixel = radii[:, None, None], canvas.pixel
    distance = np.sqrt(patches.u**2 + patches.v**2)
    rho = distance / radius
    # A radius under a pixel still colours that pixel, by the share it covers.
    alpha = patches.skin * np.minimum(strengths[:, None, None], 1.35) * np.minimum(1, 2.5 * (radius / pixel) ** 2)
    photo = camera.photo
    length = math.hypot(photo.light_x, photo.light_y) + 1e-6
    lit = (patches.u * (photo.light_x / length) + patches.v * (photo.light_y / length)) / np.maximum(distance, 1e-6)
    look = _look(kind, rho, lit, opens[:, None, None])
    keep = np.ones((3, *rho.shape), np.float32)
    for pigment, opacity in look.pigments:
        keep *= 1 + unit(alpha * opacity) * (np.array(pigment, np.float32)[:, None, None, None] - 1)
    keep *= 1 + alpha * look.relief
    add = np.zeros((1, 1, 1, 1), np.float32)
    if look.cream is not None:
        cream = unit(alpha * look.cream)
        keep *= 1 - cream
        add = cream * _cream(person)[..., None] * (1 + look.relief)
    patches.compose(keep, np.broadcast_to(add, keep.shape))


_ERYTHEMA = (0.93, 0.52, 0.56)
_VESSEL = (0.72, 0.22, 0.30)
_PIECE = 0.009  # length of one straight piece of a vessel


def paint_rosacea(canvas: View, camera: Camera, person: Person, condition: Condition, lesion_scale: float) -> None:
    """Redness in the middle of the face, uneven, and fine branching vessels on cheeks and nose."""
    if not condition.erythema:
        return
    view = camera.window(canvas, -0.25, 0.25, -0.24, person.chin)
    u, v, pixel = view.u, view.v, view.pixel
    uneven = 1 + 0.35 * noise(u, v, 14, pixel, condition.seed) + 0.25 * noise(u, v, 45, pixel, condition.seed + 1)
    tint(view.rgb, _ERYTHEMA, unit(condition.erythema * _central_density(person, u, v) * uneven) * view.skin)
    _paint_vessels(canvas, camera, _vessels(person, condition), 0.0011 * math.sqrt(lesion_scale))


def _vessels(person: Person, condition: Condition) -> Array:
    """Straight pieces of branching vessels, face coordinates [K, 2 ends, 2]."""
    rng = np.random.default_rng((condition.seed, 3))
    walks = []
    for _ in range(condition.vessels):
        side, heading = rng.choice((-1, 1)), rng.uniform(0, 2 * math.pi)
        if rng.random() < 0.25:
            start, steps = np.array((side * 0.03, person.nose_y - 0.01)), 4
        else:
            start, steps = np.array((side * rng.uniform(0.08, 0.17), rng.uniform(0.05, 0.14))), 7
        trunk = _walk(rng, start, heading, steps)
        walks += [trunk, _walk(rng, trunk[steps // 2], heading + rng.choice((-0.9, 0.9)), 3)]
    pieces = [np.stack([walk[:-1], walk[1:]], 1) for walk in walks]
    return np.concatenate(pieces).astype(np.float32) if pieces else np.zeros((0, 2, 2), np.float32)


def _walk(rng: np.random.Generator, start: np.ndarray, heading: float, steps: int) -> np.ndarray:
    turns = heading + np.cumsum(rng.normal(0, 0.35, steps))
    moves = _PIECE * np.stack([np.cos(turns), np.sin(turns)], 1)
    return np.concatenate([start[None], start + np.cumsum(moves, 0)])


def _paint_vessels(canvas: View, camera: Camera, pieces: Array, width: float) -> None:
    if len(pieces) == 0:
        return
    u, v = pieces.mean(1).T
    columns, rows = camera.face_to_pixels(u, v)
    patches = Patches(canvas, u, v, columns, rows, _PIECE / 2 + width)
    half = ((pieces[:, 1] - pieces[:, 0]) / 2)[:, :, None, None]
    along = np.clip((patches.u * half[:, 0] + patches.v * half[:, 1]) * (1 / (_PIECE / 2) ** 2), -1, 1)
    distance = np.hypot(patches.u - along * half[:, 0], patches.v - along * half[:, 1])
    vessels = patches.gather_strongest(stroke(distance, width, canvas.pixel))
    tint(canvas.rgb, _VESSEL, 0.75 * vessels * canvas.skin)
