"""Copies of training faces, as they could hide in a synthetic set: what an audit must find to be believed."""

# N images, H x W pixels, C channels

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance

from anonderm.core.images import Pixels

_JPEG_QUALITY = 60
_CROP_SHARE = 0.02
_BRIGHTNESS, _SATURATION = 1.15, 0.7


def _jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return Image.open(buffer).convert("RGB")


def _crop(image: Image.Image) -> Image.Image:
    width, height = image.size
    left, top = width * _CROP_SHARE, height * _CROP_SHARE
    return image.resize(image.size, Image.Resampling.LANCZOS, (left, top, width - left, height - top))


def _recolour(image: Image.Image) -> Image.Image:
    brighter = ImageEnhance.Brightness(image).enhance(_BRIGHTNESS)
    return ImageEnhance.Color(brighter).enhance(_SATURATION)


_CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "exact": lambda image: image,
    "flip": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "jpeg": _jpeg,
    "crop": _crop,
    "recolour": _recolour,
}

CHANGES = tuple(_CHANGES)


def plant(pixels_NHWC: Pixels, change: str) -> Pixels:
    """The same images, changed: one of CHANGES, in size and order as they were.

    exact; flip, mirrored; jpeg, quality 60; crop, 2% less on every side; recolour, brighter and paler.
    """
    return np.stack([np.asarray(_CHANGES[change](Image.fromarray(image))) for image in pixels_NHWC])
