"""Pictures of any colour space in sRGB, by the profile or the primaries that the file states.

Without a statement, values count as sRGB, as in all viewers; so do those of a profile that cannot be used.
"""

import io
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageCms

from anonderm.core.errors import UnreadableImage

# x and y of white, red, green and blue, as in PNG's cHRM.
_D65 = (0.3127, 0.3290)
_SRGB = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_ADOBE_RGB = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
_ADOBE_GAMMA = 563 / 256
# Code points of ITU-T H.273, in PNG's cICP and the nclx box of AVIF and HEIC.
_PRIMARIES = {
    1: _SRGB,
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    7: (*_D65, 0.63, 0.34, 0.31, 0.595, 0.155, 0.07),
    9: (*_D65, 0.708, 0.292, 0.17, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
    12: (*_D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06),
}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
_HIGH_DYNAMIC_RANGE = {16: "PQ", 18: "HLG"}
_CICP = re.compile(rb"\0\0\0\x04cICP(.)(.)", re.DOTALL)
_NCLX = re.compile(rb"colrnclx(..)(..)", re.DOTALL)

_SAME = 2  # levels by which published profiles of sRGB differ from each other
_LATTICE = np.stack(np.meshgrid(*[np.arange(0, 256, 15, dtype=np.uint8)] * 3), axis=-1).reshape(18, -1, 3)
_MODES = {"RGB": ("RGB", "L"), "GRAY": ("L",), "CMYK": ("CMYK",), "Lab": ("LAB",)}


def stated_profile(image: Image.Image, data: bytes) -> bytes | None:
    """The ICC profile in the file, or one made from what it states otherwise; None for sRGB.

    `image`: as opened, `data`: its file. Raises UnreadableImage for high dynamic range.
    """
    embedded = image.info.get("icc_profile")
    coded = _coded(image, data)
    if coded and (image.format == "PNG" or not embedded):  # precedence in PNG, third edition
        primaries, transfer = coded
        if transfer in _HIGH_DYNAMIC_RANGE:
            kind = _HIGH_DYNAMIC_RANGE[transfer]
            raise UnreadableImage(f"a picture of high dynamic range ({kind}); export it as an ordinary JPEG.")
        return _matrix_profile(_PRIMARIES.get(primaries, _SRGB), _GAMMAS.get(transfer))
    if isinstance(embedded, bytes) and embedded:
        return embedded
    if image.format == "PNG" and "srgb" not in image.info:
        return _by_gamma(image.info)
    return _matrix_profile(_ADOBE_RGB, _ADOBE_GAMMA) if _is_adobe_rgb(image) else None


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """An opaque picture of at most 8 bits a channel as RGB in sRGB; unchanged where it is sRGB already."""
    if image.mode == "1":
        image = image.convert("L")
    elif image.mode not in ("L", "CMYK", "LAB"):
        image = image.convert("RGB")
    transform = _transform(profile, image.mode) if profile or image.mode == "LAB" else None
    if transform is None:
        return image.convert("RGB")
    source, transformation = transform
    return transformation.apply(image.convert(source))


def _coded(image: Image.Image, data: bytes) -> tuple[int, int] | None:
    """Primaries and transfer of H.273."""
    if image.format == "PNG":
        found = _CICP.search(data, 0, max(0, data.find(b"IDAT")))
    elif image.format in ("AVIF", "HEIF"):
        found = _NCLX.search(data)
    else:
        return None
    return (int.from_bytes(found[1]), int.from_bytes(found[2])) if found else None


def _by_gamma(info: dict[Any, Any]) -> bytes | None:
    """From PNG's gAMA and cHRM; the gamma of 1 / 2.2 is how sRGB is written there."""
    gamma, primaries = info.get("gamma"), info.get("chromaticity", _SRGB)
    if not isinstance(gamma, float) or not 0.2 <= gamma <= 1:
        return None
    return _matrix_profile(primaries, None if abs(gamma - 0.45455) < 0.01 else 1 / gamma)


def _is_adobe_rgb(image: Image.Image) -> bool:
    """How cameras mark Adobe RGB, without a profile (DCF 2.0): an uncalibrated colour space, and R03."""
    if image.format not in ("JPEG", "MPO"):
        return False
    try:
        exif = image.getexif()
        space = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace)
        return space == 0xFFFF and exif.get_ifd(ExifTags.IFD.Interop).get(1) == "R03"
    except Exception:  # a broken EXIF block states nothing
        return False


@lru_cache(maxsize=32)
def _transform(profile: bytes | None, mode: str) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """The mode from which the transformation to sRGB starts, and the transformation.

    None if the profile is broken, of another kind than the picture, or sRGB itself.
    """
    try:
        if mode == "LAB":  # the values say what they are without a profile
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile or b""))
        modes = _MODES.get(source.profile.xcolor_space.strip(), ())
        if mode not in modes:
            return None
        start = modes[0]
        transformation = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            start,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except Exception:  # a profile that cannot be used
        return None
    return None if start in ("RGB", "L") and _keeps(transformation, start) else (start, transformation)


def _keeps(transformation: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether colours stay what they are."""
    before = Image.fromarray(_LATTICE).convert(mode)
    after = np.asarray(transformation.apply(before), dtype=np.int16)
    return bool(np.abs(after - np.asarray(before.convert("RGB"))).max() <= _SAME)


def _matrix_profile(chromaticities: Sequence[float], gamma: float | None) -> bytes | None:
    """An ICC profile of these primaries, with the curve of sRGB or a power; None if they span no space.

    Source: ICC.1:2022, 9 and 10; adaptation to D50 after Bradford.
    """
    x, y = np.asarray(chromaticities, dtype=np.float64).reshape(4, 2).T
    if gamma is None and np.allclose(chromaticities, _SRGB, atol=0.001):
        return None
    if not (np.isfinite([x, y]).all() and (np.abs(y) > 1e-6).all()):
        return None
    xyz_3P = np.stack([x / y, np.ones(4), (1 - x - y) / y])
    white_3, primaries_33 = xyz_3P[:, 0], xyz_3P[:, 1:]
    if abs(np.linalg.det(primaries_33)) < 1e-9:
        return None
    primaries_33 = primaries_33 * np.linalg.solve(primaries_33, white_3)
    bradford_33 = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d50_3 = np.array([0.9642, 1.0, 0.8249])
    scale_3 = (bradford_33 @ d50_3) / (bradford_33 @ white_3)
    columns_33 = np.linalg.solve(bradford_33, scale_3[:, None] * (bradford_33 @ primaries_33))
    if not np.isfinite(columns_33).all() or np.abs(columns_33).max() > 4:
        return None
    if gamma is None:
        curve = _curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    else:
        curve = _curve(0, gamma)
    tags = {b"wtpt": _xyz(d50_3)}
    tags |= {
        name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns_33.T, strict=True)
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(content))
        body += content
    start = struct.pack(">III4s4s4s", 128 + len(table) + len(body), 0, 0x04200000, b"mntr", b"RGB ", b"XYZ ")
    header = start + bytes(12) + b"acsp" + bytes(28) + _xyz(d50_3)[8:] + bytes(48)
    return header + table + body


def _xyz(values: Sequence[float] | np.ndarray[Any, Any]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(_fixed(value) for value in values)


def _curve(kind: int, *values: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(_fixed(value) for value in values)


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
