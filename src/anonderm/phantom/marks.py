"""Painting many small round marks at once, and the benign ones: moles and freckles."""

import numpy as np

from anonderm.phantom import shapes
from anonderm.phantom.paint import Array, Colour, unit
from anonderm.phantom.person import Person
from anonderm.phantom.photo import Camera, View

_MOLE = (0.36, 0.24, 0.18)
_FRECKLE = (0.80, 0.64, 0.50)


class Patches:
    """Square windows of the canvas, one per mark, as arrays [K, S, S]; marks may overlap.

    u, v: face coordinates relative to each mark's centre.
    """

    def __init__(self, canvas: View, u: Array, v: Array, columns: Array, rows: Array, reach: float) -> None:
        height, width = canvas.x.shape
        side = min(2 * int(reach / canvas.pixel + 1.5) + 1, height, width)
        self._side, self._canvas = side, canvas
        top = np.clip((rows - side / 2 + 0.5).astype(np.int64), 0, height - side)
        left = np.clip((columns - side / 2 + 0.5).astype(np.int64), 0, width - side)
        self._corners = list(zip(top.tolist(), left.tolist(), strict=True))
        steps = np.arange(side)
        index = (top[:, None, None] + steps[:, None]) * width + (left[:, None, None] + steps)
        self.u = canvas.u.take(index) - u[:, None, None]
        self.v = canvas.v.take(index) - v[:, None, None]
        self.skin = canvas.skin.take(index)

    def compose(self, keep_3KSS: Array, add_3KSS: Array) -> None:
        """canvas = canvas * keep + add, mark after mark."""
        rgb, side = self._canvas.rgb, self._side
        for index, (top, left) in enumerate(self._corners):
            part = rgb[:, top : top + side, left : left + side]
            part *= keep_3KSS[:, index]
            part += add_3KSS[:, index]

    def gather_strongest(self, alpha_KSS: Array) -> Array:
        """One layer of the size of the canvas with the largest alpha of any mark at each pixel."""
        layer = np.zeros_like(self._canvas.skin)
        for index, (top, left) in enumerate(self._corners):
            part = layer[top : top + self._side, left : left + self._side]
            np.maximum(part, alpha_KSS[index], out=part)
        return layer


def paint_marks(canvas: View, camera: Camera, person: Person) -> None:
    """Moles and freckles, which belong to the person and are not lesions."""
    rng = np.random.default_rng((person.seed, 2))
    if person.moles:
        u = rng.uniform(-0.9, 0.9, 4 * person.moles).astype(np.float32) * person.head_width
        v = rng.uniform(-0.20, person.chin - 0.04, 4 * person.moles).astype(np.float32)
        radii = rng.uniform(0.003, 0.0065, 4 * person.moles).astype(np.float32)
        _dots(canvas, camera, person, np.stack([u, v, radii]), person.moles, _MOLE, 0.85)
    if person.freckles:
        u = rng.normal(0, 0.10, 2 * person.freckles).astype(np.float32)
        v = rng.normal(0.075, 0.045, 2 * person.freckles).astype(np.float32)
        radii = rng.uniform(0.0018, 0.0042, 2 * person.freckles).astype(np.float32)
        _dots(canvas, camera, person, np.stack([u, v, radii]), person.freckles, _FRECKLE, 0.75)


def _dots(
    canvas: View, camera: Camera, person: Person, spots_3K: Array, most: int, pigment: Colour, opacity: float
) -> None:
    """Paint the first spots on bare skin: their face coordinates u, v and radii."""
    chosen = np.flatnonzero(shapes.bare_skin(person, spots_3K[0], spots_3K[1], 0.008))[:most]
    if len(chosen) == 0:
        return
    u, v, radii = spots_3K[:, chosen]
    columns, rows = camera.face_to_pixels(u, v)
    patches = Patches(canvas, u, v, columns, rows, float(radii.max()))
    distance = np.sqrt(patches.u**2 + patches.v**2) - radii[:, None, None]
    width = np.maximum(0.6 * radii[:, None, None], canvas.pixel)
    alpha = opacity * patches.skin * unit(0.5 - distance / width)
    # A mark smaller than a pixel darkens it by the share that it covers.
    alpha = alpha * np.minimum(1, 3 * (radii[:, None, None] / canvas.pixel) ** 2)
    keep = 1 + alpha * (np.array(pigment, np.float32)[:, None, None, None] - 1)
    patches.compose(keep, np.zeros((1, *alpha.shape), np.float32))
