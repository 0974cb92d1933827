"""Reading any photo as uint8 RGB [H, W, 3], and writing PNG."""

import io
import posixpath
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from anonderm.core.errors import MissingPath, UnreadableImage
from anonderm.core.files import write_bytes

Pixels = NDArray[np.uint8]

LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # weights of R, G, B; Rec. 601

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
KNOWN_SUFFIXES = ", ".join(sorted(IMAGE_SUFFIXES))

_HINT = "Repair or remove it, or run ingest with --skip-unreadable to list and leave out all such files."


def is_image_name(name: str) -> bool:
    """Whether a file of this name is an image, judged by its suffix."""
    return posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES


def read_image(path: Path) -> Pixels:
    """The photo at `path`, decoded by `decode_image`. Raises MissingPath or UnreadableImage."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise MissingPath(f"{path}: no such file.") from error
    except OSError as error:
        raise UnreadableImage(f"{path}: not a readable image ({error}).", _HINT) from error
    return decode_image(data, str(path))


def decode_image(data: bytes, name: str) -> Pixels:
    """Any photo as uint8 RGB [H, W, 3]: turned per EXIF, on white where transparent, 16 bits, CMYK converted.

    `name` identifies the photo in errors. Raises UnreadableImage.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            ImageOps.exif_transpose(image, in_place=True)
            return _to_rgb(image)
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"{name}: not a readable image (unknown format).", _HINT) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableImage(f"{name}: not a readable image ({error}).", _HINT) from error


def image_size(path: Path) -> tuple[int, int]:
    """Width and height that `read_image` returns, from the file's header. Raises what `read_image` raises."""
    try:
        with Image.open(path) as image:
            turned = image.getexif().get(ExifTags.Base.Orientation, 1) >= 5
            return (image.height, image.width) if turned else image.size
    except FileNotFoundError as error:
        raise MissingPath(f"{path}: no such file.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadableImage(f"{path}: not a readable image ({error}).", _HINT) from error


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_grey(np.asarray(image, dtype=np.float64))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _scaled_grey(values_HW: NDArray[np.float64]) -> Pixels:
    """16-bit or float grey to 8 bits; Pillow's own conversion clips at 255 instead of scaling."""
    full_scale = 65535.0 if values_HW.max(initial=0) > 255 else 255.0
    grey_HW = np.clip(values_HW / full_scale * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return np.repeat(grey_HW[:, :, None], 3, axis=2)


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
