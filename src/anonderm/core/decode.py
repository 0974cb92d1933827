"""Decoding photos of unknown origin as they are meant to be seen: upright, in sRGB, 8 bits a channel.

Only the formats below are ever opened: other readers of Pillow start foreign programs (EPS calls Ghostscript)
or are rarely tested. Whatever a decoder raises is the photo's fault, so that one bad file never ends a run.
"""

# H x W pixels, 3 channels

import io
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError, features

from anonderm.core.errors import UnreadableImage

Pixels = NDArray[np.uint8]

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", *(("AVIF",) if features.check("avif") else ()))
"""Names of Pillow's formats; HEIC is decoded by pi-heif."""

# The limit on pixels is ours (`max_megapixels`), and Pillow's warnings about odd EXIF entries help nobody.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_HINT = "Repair or remove it, or run ingest with --skip-unreadable to list and leave out all such files."
_AS_JPEG = "export it as JPEG"
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The largest values that cameras, scanners and microscopes store in 16 bits or as floats.
_FULL_SCALES = (255, 1023, 4095, 16383, 65535)
_DARKEST = 64  # of 256: 16-bit colours that are all below hold 14 bits or fewer


def decode_image(data: bytes, name: str, max_megapixels: float | None = None) -> Pixels:
    """Any photo as uint8 RGB [H, W, 3]: turned per EXIF, in sRGB per its ICC profile, on white where it is
    transparent, scaled to 8 bits; of several frames the first.

    `name` identifies the photo in errors. Raises UnreadableImage, also for more than `max_megapixels`.
    """
    try:
        with _open(data) as image:
            turn = _orientation(image)
            _check_size(image, max_megapixels)
            image.load()
            pixels_HWC = _to_rgb(image, _has_16_bits(image, data))
    except UnidentifiedImageError as error:
        raise UnreadableImage(f"{name}: not a readable image (unknown format).", _HINT) from error
    except _Refused as error:
        raise UnreadableImage(f"{name}: {error}", _HINT) from error
    except Exception as error:
        raise UnreadableImage(f"{name}: not a readable image ({_said(error)}).", _HINT) from error
    if turn in _TURNS:
        return np.asarray(Image.fromarray(pixels_HWC).transpose(_TURNS[turn]))
    return pixels_HWC


def decoded_size(data: bytes, name: str) -> tuple[int, int]:
    """Width and height of what `decode_image` returns, from the file's header. Raises UnreadableImage."""
    try:
        with _open(data) as image:
            return (image.height, image.width) if _orientation(image) >= 5 else image.size
    except Exception as error:
        raise UnreadableImage(f"{name}: not a readable image ({_said(error)}).", _HINT) from error


def format_of(data: bytes) -> str | None:
    """The name of a picture's format in lower case; None if it is not one that is read."""
    try:
        with _open(data) as image:
            return (image.format or "").lower() or None
    except Exception:  # whatever a decoder raises; reading the picture names the problem
        return None


class _Refused(Exception):
    """A picture that could be decoded, but not to what it shows."""


def _open(data: bytes) -> Image.Image:
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS and b"avif" not in data[8:40]:
        return _open_heic(data)
    return Image.open(io.BytesIO(data), formats=FORMATS)


def _open_heic(data: bytes) -> Image.Image:
    """libheif has turned the picture already, and its EXIF orientation no longer applies."""
    try:
        import pi_heif
    except ImportError as error:
        raise _Refused(
            f"a HEIC picture, which needs the package pi-heif: {_AS_JPEG}, or install anonderm[heic]."
        ) from error
    try:
        image = pi_heif.open_heif(io.BytesIO(data)).to_pillow()
    except Exception as error:
        raise _Refused(f"not a readable HEIC picture ({_said(error)}); {_AS_JPEG}.") from error
    image.info.pop("exif", None)
    image.format = "HEIF"
    return image


def _orientation(image: Image.Image) -> int:
    """1 to 8. Only this tag is decoded, as others may be broken; 1 if it is broken itself."""
    if image.format == "HEIF":
        return 1
    try:
        turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # a broken EXIF block states no orientation
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _check_size(image: Image.Image, max_megapixels: float | None) -> None:
    megapixels = image.width * image.height / 1e6
    if max_megapixels is not None and megapixels > max_megapixels:
        raise _Refused(
            f"{image.width} x {image.height} pixels, {megapixels:.0f} megapixels; the limit is "
            f"{max_megapixels:g}: raise it with --max-megapixels, or shrink the photo."
        )


def _to_rgb(image: Image.Image, upper_half: bool) -> Pixels:
    """`upper_half`: the colours are the upper 8 of 16 bits."""
    if image.mode.startswith("I") or image.mode == "F":
        return _scaled_grey(np.asarray(image, dtype=np.float64))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = _in_srgb(image.convert("RGBA"), image.info)
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    else:
        image = _in_srgb(image, image.info)
    pixels_HWC = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    if upper_half and 0 < pixels_HWC.max(initial=0) < _DARKEST:
        raise _Refused(
            f"16-bit colours with values below {int(pixels_HWC.max() + 1) * 256} of 65535: they seem to hold "
            "fewer bits; save it with 8 bits, or with the full range of values."
        )
    return pixels_HWC


def _in_srgb(image: Image.Image, info: dict[str | tuple[int, int], object]) -> Image.Image:
    """Converted from its ICC profile; unchanged without one, and for one that is broken or sRGB itself."""
    data = info.get("icc_profile")
    if not isinstance(data, bytes) or not data:
        return image
    from PIL import ImageCms

    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if "srgb" in ImageCms.getProfileDescription(profile).lower():
            return image
        space = profile.profile.xcolor_space.strip()
        own = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",), "Lab": ("LAB",)}.get(space, ())
        if image.mode not in own:
            image = image.convert(own[0])
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(
            image,
            profile,
            ImageCms.createProfile("sRGB"),
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode=mode,
        )
    except Exception:  # a profile that cannot be used; like all viewers, take the values for sRGB
        return image
    return converted if converted is not None else image


def _has_16_bits(image: Image.Image, data: bytes) -> bool:
    """Whether a colour picture was stored with 16 bits a channel, of which Pillow keeps the upper 8."""
    if image.format == "TIFF":
        depths = getattr(image, "tag_v2", {}).get(258, ())
        return isinstance(depths, tuple) and len(depths) >= 3 and depths[0] == 16
    return image.format == "PNG" and data[24:26] in (b"\x10\x02", b"\x10\x06")


def _scaled_grey(values_HW: NDArray[np.float64]) -> Pixels:
    """16-bit, 32-bit or float grey to 8 bits, by the smallest usual full scale that holds all values.

    Pillow's own conversion clips at 255 instead of scaling.
    """
    low, high = float(values_HW.min(initial=0)), float(values_HW.max(initial=0))
    fraction = bool((values_HW % 1).any())
    scales = (1, *_FULL_SCALES) if high <= 1 and (fraction or high == 1) else _FULL_SCALES
    full_scale = next((scale for scale in scales if high <= scale), None)
    if not np.isfinite(values_HW).all() or low < 0 or full_scale is None:
        raise _Refused(
            f"its values range from {low:g} to {high:g}, of which the full scale is unknown; save it with 8 "
            "bits, or with values from 0 to 65535."
        )
    grey_HW = np.clip(values_HW / full_scale * 255.0 + 0.5, 0, 255).astype(np.uint8)
    return np.repeat(grey_HW[:, :, None], 3, axis=2)


def _said(error: Exception) -> str:
    """What a decoder says, or the kind of its error where it says nothing."""
    return str(error).strip().rstrip(".") or type(error).__name__
