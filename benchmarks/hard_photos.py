"""Photos made harder to recognise, as clinical photos are: parts of faces, poses, light, small pictures."""

# H x W pixels, C channels

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anonderm.core.images import Pixels
from anonderm.phantom.condition import sample_condition
from anonderm.phantom.draw import draw
from anonderm.phantom.person import sample_person
from anonderm.phantom.photo import sample_photo

Points = NDArray[np.float64]
Change = Callable[[Pixels, Points, np.random.Generator], Pixels]
"""A photo and its eyes and mouth [3, 2] -> the harder photo."""


def closely_cropped(photo_HWC: Pixels, points_32: Points, rng: np.random.Generator) -> Pixels:
    """From the brows to the chin: forehead, ears and outline are outside."""
    return _window(photo_HWC, points_32, rng.uniform(-0.15, 0.15, 2), rng.uniform(2.0, 2.4))


def three_quarters_seen(photo_HWC: Pixels, points_32: Points, rng: np.random.Generator) -> Pixels:
    """The photo ends beside the far eye: a quarter to a third of the face is missing."""
    side = rng.choice((-1, 1))
    return _window(photo_HWC, points_32, np.array([side * rng.uniform(0.75, 0.95), 0.0]), 3.0)


def half_seen(photo_HWC: Pixels, points_32: Points, rng: np.random.Generator) -> Pixels:
    """One eye and half of the mouth, as in photos of one cheek."""
    side = rng.choice((-1, 1))
    return _window(photo_HWC, points_32, np.array([side * rng.uniform(1.2, 1.35), 0.0]), 2.6)


def turned(photo_HWC: Pixels, points_32: Points, rng: np.random.Generator) -> Pixels:
    """The picture of the face turned aside by 35 to 45 degrees, in perspective from near by."""
    import cv2

    height, width = photo_HWC.shape[:2]
    yaw, pitch = rng.choice((-1, 1)) * np.radians(rng.uniform(35, 45)), np.radians(rng.uniform(-10, 10))
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
    flat = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
    there = flat @ (about_x @ about_y).T
    seen = there[:, :2] * (3 / (3 + there[:, 2:]))
    centre, half = np.array([width, height]) / 2, np.array([width, height]) / 2
    matrix = cv2.getPerspectiveTransform(
        (centre + flat[:, :2] * half).astype(np.float32), (centre + seen * half).astype(np.float32)
    )
    return np.asarray(
        cv2.warpPerspective(photo_HWC, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def lit_from_one_side(photo_HWC: Pixels, points_32: Points, rng: np.random.Generator) -> Pixels:
    """One side of the face at a sixth to a tenth of the light of the other, and another colour of light."""
    width = photo_HWC.shape[1]
    low = rng.uniform(0.1, 0.17)
    left, right = points_32[:2, 0] + np.array([-0.5, 0.5]) * np.ptp(points_32[:2, 0])
    across_W = np.clip((np.arange(width) - left) / (right - left), 0, 1)
    light_W = low + (1 - low) * (across_W if rng.random() < 0.5 else 1 - across_W)
    colour = rng.uniform(0.75, 1.2, 3)
    linear_HWC = (photo_HWC / 255.0) ** 2.2 * light_W[None, :, None] * colour
    return np.asarray(np.clip(linear_HWC, 0, 1) ** (1 / 2.2) * 255 + 0.5, np.uint8)


def dark_and_compressed(photo_HWC: Pixels, points_32: Points, rng: np.random.Generator) -> Pixels:
    """Underexposed by two to three stops, noisy, JPEG quality 15 to 30."""
    dark_HWC = (photo_HWC / 255.0) ** 2.2 * rng.uniform(0.12, 0.25)
    noisy_HWC = dark_HWC ** (1 / 2.2) + rng.normal(0, 0.03, photo_HWC.shape)
    return _jpeg(np.asarray(np.clip(noisy_HWC, 0, 1) * 255 + 0.5, np.uint8), int(rng.integers(15, 31)))


def small(photo_HWC: Pixels, points_32: Points, rng: np.random.Generator) -> Pixels:
    """Sixteen to twenty pixels between the eyes, JPEG quality 60."""
    scale = rng.uniform(16, 20) / np.hypot(*(points_32[1] - points_32[0]))
    size = tuple(max(8, round(side * scale)) for side in reversed(photo_HWC.shape[:2]))
    return _jpeg(np.asarray(Image.fromarray(photo_HWC).resize(size, Image.Resampling.LANCZOS)), 60)


def tilted_phone_photo(photo_HWC: Pixels, points_32: Points, rng: np.random.Generator) -> Pixels:
    """Turned by 20 to 35 degrees in the plane, mirrored by a front camera in half of the photos."""
    picture = Image.fromarray(photo_HWC[:, ::-1] if rng.random() < 0.5 else photo_HWC)
    angle = float(rng.choice((-1, 1)) * rng.uniform(20, 35))
    return np.asarray(picture.rotate(angle, Image.Resampling.BICUBIC, fillcolor=(200, 200, 200)))


CHANGES: dict[str, Change] = {
    "closely cropped": closely_cropped,
    "three quarters seen": three_quarters_seen,
    "half seen": half_seen,
    "turned by 35 to 45 degrees": turned,
    "lit from one side": lit_from_one_side,
    "dark and compressed": dark_and_compressed,
    "16 to 20 px between the eyes": small,
    "tilted, half of them mirrored": tilted_phone_photo,
}


def phantom_photo(person: int, view: int, size: int) -> Pixels:
    """A drawn person, turned by up to 0.35 rad aside and 0.2 rad up or down, in other light."""
    of_person = np.random.default_rng((7, person, 0))
    drawn, condition = sample_person(of_person), sample_condition(of_person, "moderate")
    rng = np.random.default_rng((7, person, view + 1))
    photo = dataclasses.replace(
        sample_photo(rng),
        yaw=float(rng.uniform(-0.35, 0.35)),
        pitch=float(rng.uniform(-0.2, 0.2)),
        roll=float(rng.uniform(-0.2, 0.2)),
        light_x=float(rng.uniform(-0.8, 0.8)),
    )
    return draw(drawn, photo, condition, size).image


def _window(photo_HWC: Pixels, points_32: Points, shift_2: Points, sides: float) -> Pixels:
    """A square around the middle of eyes and mouth; shift and side in distances between the eyes."""
    eyes = float(np.hypot(*(points_32[1] - points_32[0])))
    middle_2 = (points_32[:2].mean(axis=0) + points_32[2]) / 2 + shift_2 * eyes
    half = sides * eyes / 2
    left, top = np.maximum(np.round(middle_2 - half).astype(int), 0)
    right, bottom = np.round(middle_2 + half).astype(int)
    return np.ascontiguousarray(photo_HWC[top:bottom, left:right])


def _jpeg(photo_HWC: Pixels, quality: int) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(photo_HWC).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))
