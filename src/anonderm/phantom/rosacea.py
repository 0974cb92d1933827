"""Redness and vessels of rosacea."""

import math

import numpy as np

from anonderm.phantom.condition import Condition
from anonderm.phantom.marks import Patches
from anonderm.phantom.paint import Array, gaussian, noise, stroke, tint, unit
from anonderm.phantom.person import Person
from anonderm.phantom.photo import Camera, View

_ERYTHEMA = (0.93, 0.52, 0.56)
_VESSEL = (0.72, 0.22, 0.30)
_PIECE = 0.009  # length of one straight piece of a vessel


def central_density(person: Person, u: Array, v: Array) -> Array:
    """Predilection sites of rosacea: cheeks near the nose, nose, middle of the forehead, chin."""
    cheeks = gaussian(np.abs(u), v, 0.115, 0.10, 0.050, 0.045)
    nose = gaussian(u, v, 0, person.nose_y - 0.02, 0.034, 0.045)
    forehead = gaussian(u, v, 0, -0.145, 0.065, 0.030)
    chin = gaussian(u, v, 0, person.chin - 0.055, 0.050, 0.030)
    return np.minimum(cheeks + 0.95 * nose + 0.65 * forehead + 0.7 * chin, 1.0)


def paint_rosacea(
    canvas: View, camera: Camera, person: Person, condition: Condition, lesion_scale: float
) -> None:
    """Uneven redness in the middle of the face, and fine branching vessels on cheeks and nose."""
    if not condition.erythema:
        return
    view = camera.window(canvas, -0.25, 0.25, -0.24, person.chin)
    u, v, pixel, seed = view.u, view.v, view.pixel, condition.seed
    uneven = 1 + 0.35 * noise(u, v, 14, pixel, seed) + 0.25 * noise(u, v, 45, pixel, seed + 1)
    redness = unit(condition.erythema * central_density(person, u, v) * uneven)
    tint(view.rgb, _ERYTHEMA, redness * view.skin)
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
