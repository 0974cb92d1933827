"""Draws one photo of a person with a skin condition, and its ground truth."""

from dataclasses import dataclass

import numpy as np

from anonderm.core.errors import ConfigError
from anonderm.core.images import Pixels
from anonderm.core.records import Lesion
from anonderm.phantom import features, hair, head, lesions, marks, rosacea
from anonderm.phantom.condition import Condition
from anonderm.phantom.paint import Array, encode_srgb
from anonderm.phantom.person import Person
from anonderm.phantom.photo import Camera, Photo

SMALLEST, LARGEST = 32, 1024


@dataclass(frozen=True, slots=True)
class Drawing:
    """image: uint8 sRGB [H, W, 3]; skin: bool [H, W]; lesions: the visible ones; ita: degrees.

    skin is the visible facial skin: with the nose, without eyes, brows, lips, beard and hair.
    """

    image: Pixels
    skin: np.ndarray
    lesions: tuple[Lesion, ...]
    ita: float


def draw(person: Person, photo: Photo, condition: Condition, size: int, lesion_scale: float = 1.0) -> Drawing:
    """Draw a square photo of `size` pixels, 32 to 1024.

    The same arguments give the same picture at every size, up to resolution and sensor noise. lesion_scale
    enlarges the lesions so that they are visible in small pictures. Raises ConfigError for other sizes.
    """
    if not SMALLEST <= size <= LARGEST:
        raise ConfigError(
            f"size = {size}: a phantom of this size cannot be drawn.", f"Choose {SMALLEST} to {LARGEST} px."
        )
    camera = Camera(photo, size, person.head_width)
    canvas = camera.canvas()
    head.paint_backdrop(canvas, person)
    locks = hair.grow(canvas, camera, person)
    if locks:
        hair.paint_back(locks, person)
    head.paint_body(canvas, person)
    head.paint_face(canvas, camera, person)
    marks.paint_marks(canvas, camera, person)
    rosacea.paint_rosacea(canvas, camera, person, condition, lesion_scale)
    drawn = lesions.paint_acne(canvas, camera, person, condition, lesion_scale)
    features.paint_nose(canvas, camera, person)
    features.paint_beard(canvas, camera, person)
    features.paint_mouth(canvas, camera, person)
    features.paint_eyes(canvas, camera, person)
    features.paint_brows(canvas, camera, person)
    if locks:
        hair.paint_front(locks, camera, person)
    skin = canvas.skin > 0.5
    visible = tuple(lesion for lesion in drawn if _is_visible(lesion, skin))
    return Drawing(_expose(canvas.rgb, photo), skin, visible, person.ita)


def _is_visible(lesion: Lesion, skin: np.ndarray) -> bool:
    column, row = map(int, lesion.centre)
    return 0 <= row < skin.shape[0] and 0 <= column < skin.shape[1] and bool(skin[row, column])


def _expose(rgb: Array, photo: Photo) -> Pixels:
    """Lens blur, exposure, white balance and sensor noise; linear light [3, H, W] to uint8 sRGB [H, W, 3]."""
    size = rgb.shape[1]
    balance = np.array((1 + photo.warmth, 1.0, 1 - photo.warmth), np.float32)[:, None, None]
    image = encode_srgb(_blur(rgb, photo.blur * size) * (balance * np.float32(photo.exposure)))
    if photo.noise:
        rng = np.random.default_rng(photo.seed)
        image += rng.standard_normal(image.shape, np.float32) * np.float32(photo.noise)
    levels = np.minimum(np.maximum(image * 255 + 0.5, 0), 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))


def _blur(rgb: Array, deviation: float) -> Array:
    """Separable Gaussian blur; a deviation under a third of a pixel has no visible effect."""
    if deviation < 0.33:
        return rgb
    reach = max(1, round(2.5 * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (1, 2):
        padding = [(0, 0)] * 3
        padding[axis] = (reach, reach)
        padded = np.pad(rgb, padding, mode="edge")
        length = rgb.shape[axis]
        rgb = np.zeros_like(rgb)
        for k, weight in enumerate(weights):
            rgb += weight * (padded[:, k : k + length] if axis == 1 else padded[:, :, k : k + length])
    return rgb
