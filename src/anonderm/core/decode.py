"""Decoding photos of unknown origin as they are meant to be seen: upright, in sRGB, 8 bits a channel.

Only the formats below are ever opened: other readers of Pillow start foreign programs (EPS calls Ghostscript)
or are rarely tested. Whatever a decoder raises is the photo's fault, so that one bad file never ends a run.
"""

# H x W pixels, 3 channels

import ctypes
import io
import logging
import re
import struct
import warnings
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError, features

from anonderm.core.colour import stated_profile, to_srgb
from anonderm.core.depth import eight_bits
from anonderm.core.errors import UnreadableImage

Pixels = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", *(("AVIF",) if features.check("avif") else ()))
"""Names of Pillow's formats; HEIC is decoded by pi-heif."""

MOST_MEGAPIXELS = 2000.0
"""What is never exceeded: a few kilobytes can declare a picture that fills the memory."""

# Once for the process: the limit on pixels is ours (`max_megapixels`), and what libraries print about odd or
# broken files names no file. Errors that matter are raised as well.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
with suppress(AttributeError, OSError):  # where libtiff is not a shared library, its lines remain
    ctypes.CDLL(Image.core.__file__).TIFFSetErrorHandler(None)

_HINT = "Repair or remove it, or run ingest with --skip-unreadable to list and leave out all such files."
_AS_JPEG = "export it as JPEG"
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_PNG_EXIF = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def decode_image(data: bytes, name: str, max_megapixels: float = MOST_MEGAPIXELS) -> Pixels:
    """Any photo as uint8 RGB [H, W, 3]: turned per EXIF, in sRGB per its colour profile, on white where it is
    transparent, scaled to 8 bits; of several frames the first.

    `name` identifies the photo in errors. Raises UnreadableImage, also for more than `max_megapixels`.
    """
    try:
        with _open(data) as image:
            _check_size(image, max_megapixels)
            turn = _orientation(image, data)
            image.load()
            shown = _to_rgb(image, data)
        return np.asarray(shown.transpose(_TURNS[turn]) if turn in _TURNS else shown)
    except Exception as error:
        raise _unreadable(name, data, error) from error


def decoded_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height of what `decode_image` returns, from the file's header. Raises UnreadableImage."""
    try:
        with _open(data) as image:
            return (image.height, image.width) if _orientation(image, data) >= 5 else image.size
    except Exception as error:
        raise _unreadable(name, data, error) from error


def format_of(data: bytes) -> str | None:
    """The name of a picture's format in lower case; None if it is not one that is read."""
    try:
        with _open(data) as image:
            return (image.format or "").lower() or None
    except Exception:  # whatever a decoder raises; reading the picture names the problem
        return None


def exif_texts(data: bytes, tags: Iterable[int]) -> dict[int, str]:
    """The values of these tags that a photo's EXIF states, as text; broken ones are left out."""
    try:
        with _open(data) as image:
            block = image.getexif()
            found = [block, block.get_ifd(ExifTags.IFD.Exif)]
    except Exception:  # a photo without usable EXIF states nothing
        return {}
    return {
        tag: text for tag in tags if (text := next(filter(None, (_text(each, tag) for each in found)), ""))
    }


def _text(block: Any, tag: int) -> str:
    try:
        value = block.get(tag)
    except Exception:  # this tag is broken
        return ""
    return value.strip("\0 ") if isinstance(value, str) else ""


def _unreadable(name: str, data: bytes, error: Exception) -> UnreadableImage:
    if isinstance(error, UnreadableImage):
        return UnreadableImage(f"{name}: {error.message}", _HINT)
    if _is_heic(data) or name.lower().endswith((".heic", ".heif")):
        said = "damaged" if isinstance(error, UnidentifiedImageError) else _said(error)
        return UnreadableImage(f"{name}: not a readable HEIC picture ({said}): {_AS_JPEG}.", _HINT)
    if not isinstance(error, UnidentifiedImageError):
        said = _said(error)
    elif data.startswith(_TIFF):
        said = "a damaged TIFF, or one of floats, depths or a compression that Pillow does not read"
    else:
        said = "unknown format"
    return UnreadableImage(f"{name}: not a readable image ({said}).", _HINT)


def _is_heic(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS and b"avif" not in data[8:40]


def _open(data: bytes) -> Image.Image:
    """The picture, of which only the header has been read."""
    if _is_heic(data):
        _register_heic()
        _check_items(data)
        return Image.open(io.BytesIO(data), formats=("HEIF",))
    if data[4:12] in (b"ftypavif", b"ftypavis") and "AVIF" not in FORMATS:
        raise UnreadableImage(f"an AVIF picture, which this build of Pillow cannot read: {_AS_JPEG}.")
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _register_heic() -> None:
    try:
        import pi_heif
    except ImportError as error:
        raise UnreadableImage(
            f"a HEIC picture, which needs the package pi-heif: {_AS_JPEG}, or install anonderm[heic]."
        ) from error
    pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)


def _check_items(data: bytes) -> None:
    """pi-heif 1.4 ends the process at a type of an item that is not UTF-8. Source: ISO 14496-12, 8.11.6."""
    for found in re.finditer(b"infe[\x02\x03]", data):
        start = found.start()
        end = start - 4 + int.from_bytes(data[max(0, start - 4) : start])
        data[start + (12 if data[start + 4] == 2 else 14) : end].decode("utf-8")


def _orientation(image: Image.Image, data: bytes) -> int:
    """1 to 8. Only this tag is read, as others may be broken; 1 if it is broken itself."""
    if image.format in ("HEIF", "TIFF"):  # their decoders turn the picture; EXIF in HEIC does not count
        return 1
    if image.format == "PNG" and not any(
        mark in data for mark in _PNG_EXIF
    ):  # else Pillow decodes it to search its end
        return 1
    exif = image.info.get("exif")
    stated = _orientation_in(exif) if isinstance(exif, bytes) else None
    if stated is None:
        try:
            stated = image.getexif().get(ExifTags.Base.Orientation)  # also in text chunks of PNG and in XMP
        except Exception:  # a broken EXIF block states no orientation
            return 1
    return stated if isinstance(stated, int) and 1 <= stated <= 8 else 1


def _orientation_in(exif: bytes) -> int | None:
    """The tag in the first directory, whatever else is in there; None if it is not found.

    Source: TIFF 6.0, section 2. Pillow gives up at the first value that lies outside the block.
    """
    exif = exif.removeprefix(b"Exif\0\0").removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        if order is None:
            return None
        start = struct.unpack_from(order + "I", exif, 4)[0]
        for entry in range(struct.unpack_from(order + "H", exif, start)[0]):
            place = start + 2 + 12 * entry
            tag, kind = struct.unpack_from(order + "HH", exif, place)
            if tag == ExifTags.Base.Orientation:
                form = {1: "B", 4: "I", 6: "b", 8: "h", 9: "i"}.get(kind, "H")
                return int(struct.unpack_from(order + form, exif, place + 8)[0])
    except struct.error:  # the block ends before
        return None
    return None


def _check_size(image: Image.Image, max_megapixels: float) -> None:
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise UnreadableImage(
            f"{image.width} x {image.height} pixels, {megapixels:.0f} megapixels; the limit is "
            f"{max_megapixels:g}: raise it with --max-megapixels, or shrink the photo."
        )


def _to_rgb(image: Image.Image, data: bytes) -> Image.Image:
    """A loaded picture as it is shown, on white where it is transparent."""
    profile = stated_profile(image, data)
    deep = eight_bits(image, data)
    if deep.mode not in ("RGBA", "LA", "PA", "La", "RGBa") and "transparency" not in deep.info:
        return to_srgb(deep, profile)
    seen = deep.convert("RGBA")
    opaque = to_srgb(seen.convert("L" if deep.mode in ("L", "LA", "La") else "RGB"), profile)
    opaque.putalpha(seen.getchannel("A"))
    return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), opaque).convert("RGB")


def _said(error: Exception) -> str:
    """What a decoder says, or the kind of its error where it says nothing."""
    return str(error).strip().rstrip(".") or type(error).__name__
