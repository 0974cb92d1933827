"""Reading any photo as uint8 RGB [H, W, 3], and writing PNG."""

import io
import posixpath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anonderm.core.decode import MOST_MEGAPIXELS, Pixels, decode_image, decoded_size
from anonderm.core.errors import MissingPath, UnreadableImage
from anonderm.core.files import read_bytes, write_bytes

__all__ = ["Pixels", "decode_image", "read_image"]

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # weights of R, G, B; Rec. 601

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff"} | {".avif", ".heic", ".heif"}
)
_OTHERS = "arw cr2 cr3 dcm dng exr gif heics j2k jp2 jxl jxr nef orf pef pgm ppm psb psd raf rw2 srw tga"
OTHER_PICTURES = frozenset(f".{suffix}" for suffix in _OTHERS.split())
"""Suffixes of pictures that are not read: raw formats of cameras, of editors, and others."""
KNOWN_SUFFIXES = ", ".join(sorted(IMAGE_SUFFIXES))


def is_image_name(name: str) -> bool:
    """Whether a file of this name is an image, judged by its suffix."""
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def read_image(path: Path, max_megapixels: float = MOST_MEGAPIXELS) -> Pixels:
    """The photo at `path`, decoded by `decode_image`. Raises MissingPath or UnreadableImage."""
    return decode_image(_bytes(path), str(path), max_megapixels)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height that `read_image` returns, from the file's header. Raises what `read_image` raises."""
    return decoded_size(_bytes(path), str(path))


def _bytes(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except FileNotFoundError as error:
        raise MissingPath(f"{path}: no such file.", "Check the path.") from error
    except OSError as error:
        raise UnreadableImage(
            f"{path}: cannot be read ({error.strerror}).",
            "Check its permissions, and that it is a regular file.",
        ) from error


def encode_png(image_HWC: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image_HWC).save(buffer, format="PNG", compress_level=3)
    return buffer.getvalue()


def write_png(path: Path, image: NDArray[np.uint8] | NDArray[np.bool_]) -> bytes:
    """Write uint8 [H, W, 3], uint8 [H, W] or bool [H, W] atomically; return the file's bytes."""
    data = encode_png(np.where(image, 255, 0).astype(np.uint8) if image.dtype == np.bool_ else image)
    write_bytes(path, data)
    return data


def square(image_HWC: NDArray[Any]) -> NDArray[Any]:
    """The largest centred square of an image or a mask."""
    height, width = image_HWC.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return image_HWC[top : top + side, left : left + side]


def resize(image_HWC: Pixels, size: int) -> Pixels:
    """A square image resampled to size x size (Lanczos, antialiased when shrinking)."""
    if image_HWC.shape[0] == size and image_HWC.shape[1] == size:
        return image_HWC
    return np.asarray(Image.fromarray(image_HWC).resize((size, size), Image.Resampling.LANCZOS))


def resize_mask(mask_HW: NDArray[np.bool_], width: int, height: int) -> NDArray[np.bool_]:
    """A pixel is True if at least half of the area that it covers is."""
    if mask_HW.shape == (height, width):
        return mask_HW
    grey = Image.fromarray(np.where(mask_HW, 255, 0).astype(np.uint8))
    return np.asarray(grey.resize((width, height), Image.Resampling.BILINEAR)) > 127


def grid(images_NHWC: Pixels, columns: int, gap: int = 2) -> Pixels:
    """Tile [N, H, W, 3] on white, row by row."""
    count, height, width, channels = images_NHWC.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, channels), 255, np.uint8)
    for index, image in enumerate(images_NHWC):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet
