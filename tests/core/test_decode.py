"""Photos as cameras, phones and programs write them are read as they are meant to be seen."""

from __future__ import annotations

import ast
import io
import os
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps, features

import anonderm
from anonderm.core import colour
from anonderm.core.decode import decode_image, decoded_size, format_of
from anonderm.core.errors import UnreadableImage

HEIC = Path(__file__).parent / "heic"  # written by pillow-heif: 24 x 16 pixels, a third of them blue
needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this build of Pillow has no AVIF")
P3 = colour._matrix_profile(colour._PRIMARIES[12], None)
SKIN_IN_P3, SKIN = (192, 152, 124), (200, 150, 120)  # the same colour


def encoded(image: Image.Image, form: str = "PNG", **settings) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **settings)
    return buffer.getvalue()


def skin(mode: str = "RGB", size: tuple[int, int] = (20, 10)) -> Image.Image:
    return Image.new("RGB", size, SKIN_IN_P3).convert(mode)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(pixels: np.ndarray, depth: int, *chunks: bytes, size: tuple[int, int] | None = None) -> bytes:
    """A PNG file of pixels [H, W] or [H, W, C], written without Pillow."""
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[1 if pixels.ndim == 2 else pixels.shape[2]]
    height, width = pixels.shape[:2]
    header = struct.pack(">IIBBBBB", *(size or (width, height)), depth, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2" if depth == 16 else np.uint8).tobytes() for row in pixels)
    body = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + body + chunk(b"IEND", b"")


# --- orientation --------------------------------------------------------------------------------------------


def tiff(*entries: tuple[int, int, int, int | bytes], order: str = "<", count: int | None = None) -> bytes:
    """An EXIF block of entries (tag, type, count, value)."""
    block = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    block += struct.pack(order + "H", len(entries) if count is None else count)
    for tag, kind, number, value in entries:
        block += struct.pack(order + "HHI", tag, kind, number)
        if isinstance(value, bytes):
            block += value
        else:
            block += struct.pack(
                order + ("HH" if kind == 3 else "I"), *((value, 0) if kind == 3 else (value,))
            )
    return block + bytes(4)


def turned(exif: bytes, form: str = "JPEG") -> bool:
    data = encoded(Image.new("RGB", (20, 10)), form, exif=b"Exif\0\0" + exif)
    size = decoded_size(data, "a")
    assert decode_image(data, "a").shape == (size[1], size[0], 3)
    return size == (10, 20)


TURN = (0x112, 3, 1, 6)


@pytest.mark.filterwarnings("ignore")  # pytest undoes the filter of the module
@pytest.mark.parametrize(
    "exif",
    {
        "plain": tiff(TURN),
        "big-endian": tiff(TURN, order=">"),
        "stored as a long": tiff((0x112, 4, 1, 6)),
        "stored as a byte": tiff((0x112, 1, 1, b"\6\0\0\0")),
        "two values": tiff((0x112, 3, 2, b"\6\0\6\0")),
        "no values": tiff((0x112, 3, 0, 6)),
        "a text before it that lies outside": tiff((0x10F, 2, 500, 9999), TURN),
        "a rational before it that lies outside": tiff((0x10A, 5, 1, 9999), TURN),
        "a tag of unknown type": tiff((0x10F, 99, 5, 9999), TURN),
        "a text of four gigabytes": tiff((0x10F, 2, 0xFFFFFFFF, 26), TURN),
        "more entries promised than there are": tiff(TURN, count=400),
        "a directory that leads to itself": tiff(TURN, (0x8769, 4, 1, 8)),
        "directories outside": tiff(TURN, (0x8769, 4, 1, 0xFFFFFFFF), (0x8825, 4, 1, 9999)),
        "cut off after it": tiff(TURN)[:-4],
        "a wrong magic number": b"II\0\0" + tiff(TURN)[4:],
        "a repeated header": b"Exif\0\0" + tiff(TURN),
        "letters that are no text": tiff((0x10F, 2, 4, b"\xff\xfe\xfd\xfc"), TURN),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_photo_is_turned_whatever_else_is_broken_in_its_exif(exif):
    assert turned(exif[1])


@pytest.mark.parametrize(
    "exif", [tiff((0x112, 3, 1, 0)), tiff((0x112, 3, 1, 9)), b"", b"II", bytes(100), b"\xff" * 40]
)
def test_an_orientation_that_does_not_exist_counts_as_upright(exif):
    assert not turned(exif)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", pytest.param("AVIF", marks=needs_avif), "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_all_orientations_in_all_formats_are_as_pillow_turns_them(form, turn):
    pixels = np.arange(3 * 16 * 24).reshape(16, 24, 3).astype(np.uint8)
    exif = Image.Exif()
    exif[0x112] = turn
    data = encoded(Image.fromarray(pixels), form, **{"tiffinfo" if form == "TIFF" else "exif": exif})
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(decode_image(data, "a"), expected)
    assert decoded_size(data, "a") == (expected.shape[1], expected.shape[0])


def test_the_orientation_in_xmp_counts_only_without_one_in_exif():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    blank = Image.new("RGB", (20, 10))
    assert decode_image(encoded(blank, "JPEG", xmp=xmp), "a").shape == (20, 10, 3)
    upright = b"Exif\0\0" + tiff((0x112, 3, 1, 1))
    assert decode_image(encoded(blank, "JPEG", xmp=xmp, exif=upright), "a").shape == (10, 20, 3)


@pytest.mark.parametrize("form", ["MPO", "TIFF", "GIF", "PNG", "WEBP"])
def test_the_first_picture_of_several_is_read(form):
    data = encoded(skin(), form, save_all=True, append_images=[Image.new("RGB", (20, 10))])
    np.testing.assert_allclose(decode_image(data, "a")[5, 10], SKIN_IN_P3, atol=4)


def test_a_jpeg_of_several_pictures_is_turned_too():
    pictures = {"save_all": True, "append_images": [Image.new("RGB", (20, 10))]}
    data = encoded(skin(), "MPO", exif=b"Exif\0\0" + tiff(TURN), **pictures)
    assert decode_image(data, "a").shape == (20, 10, 3)


# --- colour -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", pytest.param("AVIF", marks=needs_avif)])
def test_display_p3_becomes_srgb(form):
    shown = decode_image(
        encoded(skin(), form, icc_profile=P3, **({} if form == "TIFF" else {"quality": 95})), "a"
    )
    np.testing.assert_allclose(shown[5, 10], SKIN, atol=2)


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_a_profile_also_holds_for_palettes_and_for_transparent_pictures(mode):
    shown = decode_image(encoded(skin(mode), icc_profile=P3), "a")
    np.testing.assert_allclose(
        shown[5, 10], decode_image(encoded(skin(mode).convert("RGB"), icc_profile=P3), "b")[5, 10]
    )


def test_an_srgb_profile_changes_no_pixel():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(
        decode_image(encoded(Image.fromarray(pixels), icc_profile=srgb), "a"), pixels
    )


@pytest.mark.parametrize("profile", [b"abc" * 100, P3[:200] + bytes(200), P3[:140]])
def test_a_broken_profile_counts_as_srgb(profile):
    assert tuple(decode_image(encoded(skin(), icc_profile=profile), "a")[0, 0]) == SKIN_IN_P3


def test_a_profile_of_another_kind_than_the_picture_takes_no_colour_away():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert tuple(decode_image(encoded(skin(), "TIFF", icc_profile=lab), "a")[0, 0]) == SKIN_IN_P3
    cmyk = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    assert tuple(decode_image(encoded(cmyk, "TIFF", icc_profile=P3), "a")[0, 0]) == (255, 0, 0)


def test_grey_on_transparency_is_converted_before_it_is_put_on_white():
    grey = Image.new("LA", (4, 4), (100, 128))
    plain, profiled = (decode_image(encoded(grey, **how), "a")[0, 0] for how in ({}, {"icc_profile": P3}))
    np.testing.assert_array_equal(plain, [177] * 3)
    np.testing.assert_allclose(profiled, plain, atol=1)  # P3 has the curve of sRGB


@pytest.mark.parametrize(
    ("content", "stored", "shown"),
    [
        (chunk(b"cICP", bytes((12, 13, 0, 1))), SKIN_IN_P3, SKIN),
        (chunk(b"cICP", bytes((1, 13, 0, 1))), SKIN_IN_P3, SKIN_IN_P3),
        (chunk(b"cICP", bytes((1, 13, 0, 1))) + chunk(b"gAMA", struct.pack(">I", 100_000)), SKIN, SKIN),
        (chunk(b"gAMA", struct.pack(">I", 100_000)), (55, 55, 55), (128, 128, 128)),
        (chunk(b"gAMA", struct.pack(">I", 45_455)), SKIN, SKIN),
        (chunk(b"gAMA", struct.pack(">I", 0)), SKIN, SKIN),
        (chunk(b"gAMA", struct.pack(">I", 45_455)) + chunk(b"cHRM", bytes(32)), SKIN, SKIN),
        (chunk(b"sRGB", b"\0") + chunk(b"gAMA", struct.pack(">I", 100_000)), SKIN, SKIN),
    ],
    ids=[
        "P3",
        "sRGB",
        "before gamma",
        "linear",
        "gamma of sRGB",
        "no gamma",
        "no colours",
        "sRGB before gamma",
    ],
)
def test_png_states_its_colours_without_a_profile(content, stored, shown):
    data = png(np.full((4, 4, 3), stored), 8, content)
    np.testing.assert_allclose(decode_image(data, "a")[0, 0], shown, atol=1)


@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_refused_and_not_shown_pale(transfer):
    data = png(np.full((4, 4, 3), 100), 8, chunk(b"cICP", bytes((9, transfer, 0, 1))))
    with pytest.raises(UnreadableImage, match=r"a\.png: a picture of high dynamic range.*JPEG"):
        decode_image(data, "a.png")


def test_adobe_rgb_of_cameras_is_converted_though_they_embed_no_profile():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    image = Image.new("RGB", (16, 16), (180, 150, 120))
    marked, plain = (
        decode_image(encoded(image, "JPEG", quality=95, **how), "a") for how in ({"exif": exif}, {})
    )
    np.testing.assert_allclose(marked[8, 8], (192, 151, 119), atol=2)
    np.testing.assert_allclose(plain[8, 8], (180, 150, 120), atol=2)


def test_lab_is_converted():
    """L* = 50.2, a* = b* = 32."""
    data = encoded(Image.new("LAB", (4, 4), (128, 160, 160)), "TIFF")
    np.testing.assert_allclose(decode_image(data, "a")[0, 0], (178, 96, 67), atol=2)


# --- depth --------------------------------------------------------------------------------------------------


def ramp(*values: float, kind: type = np.uint16) -> bytes:
    """A grey picture of one row: PNG for 16 bits, else TIFF."""
    return encoded(Image.fromarray(np.array([values], kind)), "PNG" if kind is np.uint16 else "TIFF")


@pytest.mark.parametrize(
    ("values", "kind", "shown"),
    [
        ((0, 2048, 4095), np.uint16, (0, 128, 255)),
        ((0, 512, 1023), np.uint16, (0, 128, 255)),
        ((0, 8192, 16383), np.uint16, (0, 128, 255)),
        ((0, 32768, 65535), np.uint16, (0, 128, 255)),
        ((0, 128, 255), np.uint16, (0, 128, 255)),
        ((0, 0, 1), np.uint16, (0, 0, 255)),
        ((0, 0, 0), np.uint16, (0, 0, 0)),
        ((0, 0.5, 1), np.float32, (0, 128, 255)),
        ((0, 0.5, 0.8), np.float32, (0, 128, 204)),
        ((-0.02, 0.5, 1.03), np.float32, (0, 128, 255)),
        ((0, 128.5, 255), np.float32, (0, 129, 255)),
        ((-3.5, 128, 258), np.float32, (0, 128, 255)),
        ((0, 2048, 4095), np.int32, (0, 128, 255)),
    ],
)
def test_values_are_scaled_by_the_smallest_full_scale_that_holds_them(values, kind, shown):
    assert decode_image(ramp(*values, kind=kind), "a")[0, :, 0].tolist() == list(shown)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ((0, 2), np.uint16),
        ((0, 63), np.uint16),
        ((0, 0.05), np.float32),
        ((0, 5.5), np.float32),
        ((-5, 5.5), np.float32),
        ((0, np.nan), np.float32),
        ((0, np.inf), np.float32),
        ((0, 1e9), np.float32),
        ((-1, 255), np.int32),
        ((0, 70_000), np.int32),
    ],
)
def test_values_of_unknown_full_scale_are_refused_with_the_reason(values, kind):
    with pytest.raises(UnreadableImage, match=r"a\.tif: .*values.*save it with 8 bits"):
        decode_image(ramp(*values, kind=kind), "a.tif")


def test_tiff_that_pillow_cannot_read_is_refused_as_such():
    """Floats of three channels, as image analysis programs write them."""
    _, data = cv2.imencode(".tif", np.full((4, 4, 3), 0.5, np.float32))
    with pytest.raises(UnreadableImage, match=r"a\.tif: .*a damaged TIFF, or one of floats, depths"):
        decode_image(data.tobytes(), "a.tif")


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_twelve_bits_in_sixteen_of_a_colour_picture_are_refused_and_full_ones_read(channels):
    full = png(np.full((4, 4, channels), 65535), 16)
    assert (decode_image(full, "a") == 255).all()
    pixels = np.full((4, 4, channels), 4095)
    pixels[..., 3 if channels == 4 else 1 if channels == 2 else 3 :] = 65535
    with pytest.raises(UnreadableImage, match="16-bit colours, all below 4096"):
        decode_image(png(pixels, 16), "a")


def test_white_is_zero_is_not_a_negative():
    pixels = np.array([[0, 65535]], np.uint16)
    data = encoded(Image.fromarray(pixels), "TIFF", tiffinfo={262: 0})
    assert decode_image(data, "a")[0, :, 0].tolist() == [255, 0]


# --- HEIC ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "size", "end"),
    [("turned_p3", (16, 24), SKIN), ("nclx_p3", (24, 16), SKIN), ("ten", (24, 16), SKIN_IN_P3)],
)
def test_heic_is_turned_once_in_srgb_and_8_bits(file, size, end):
    pytest.importorskip("pi_heif", reason="needs the extra heic")
    data = (HEIC / f"{file}.heic").read_bytes()
    shown = decode_image(data, "a")
    assert decoded_size(data, "a") == size == (shown.shape[1], shown.shape[0])
    np.testing.assert_allclose(shown[-1, -1], end, atol=3)
    assert shown[0, 0, 2] > 190 > 50 > shown[0, 0, 0]
    assert format_of(data) == "heif"


def test_heic_is_refused_with_advice_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(UnreadableImage, match=r"a\.heic: a HEIC picture.*as JPEG.*anonderm\[heic\]"):
        decode_image((HEIC / "ten.heic").read_bytes(), "a.heic")


def test_damaged_heic_is_named_and_does_not_end_the_process():
    """pi-heif 1.4.0 crashes at an item whose type is not UTF-8."""
    pytest.importorskip("pi_heif", reason="needs the extra heic")
    data = (HEIC / "turned_p3.heic").read_bytes()
    place = data.index(b"Exif")
    for damaged in (data[:place] + b"\xff" * 4 + data[place + 4 :], data[:300], data[:-40], data[:12]):
        with pytest.raises(UnreadableImage, match=r"a\.heic: not a readable HEIC picture.*as JPEG"):
            decode_image(damaged, "a.heic")


# --- limits, foreign programs, other people's messages ------------------------------------------------------


def test_a_photo_above_the_limit_is_refused_by_its_header():
    data = png(np.zeros((1, 1, 3)), 8, size=(60_000, 60_000))
    with pytest.raises(
        UnreadableImage, match=r"a\.png: 60000 x 60000 pixels, 3600 megapixels.*--max-megapixels"
    ):
        decode_image(data, "a.png", 256)
    assert decoded_size(data, "a.png") == (60_000, 60_000)
    with pytest.raises(UnreadableImage, match="the limit is 2000"):
        decode_image(data, "a.png")


EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n"


def test_a_photo_starts_no_program(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(UnreadableImage, match=r"eps\.jpg"):
        decode_image(EPS, "eps.jpg")
    assert not (tmp_path / "started").exists()


def test_pictures_are_opened_with_a_list_of_formats_everywhere():
    """Without one, Pillow takes any of its forty readers."""
    for path in Path(anonderm.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not any(name in text for name in ("cv2.imread", "cv2.imdecode", "torchvision.io")), path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                assert "formats" in {keyword.arg for keyword in node.keywords}, f"{path}:{node.lineno}"


@pytest.mark.parametrize("kind", ["DDS", "JPEG2000", "ICO", "TGA", "PPM", "SGI", "PCX", "ICNS"])
def test_other_formats_are_refused(kind):
    with pytest.raises(UnreadableImage, match="unknown format"):
        decode_image(encoded(Image.new("RGB", (16, 16)), kind), "a.jpg")


class Odd(Exception):
    """None of the kinds that decoders are expected to raise."""


@pytest.mark.parametrize(
    "error", [struct.error, KeyError, ZeroDivisionError, AttributeError, MemoryError, RecursionError, Odd]
)
def test_whatever_a_decoder_raises_is_the_fault_of_that_photo(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load_prepare", fail)
    with pytest.raises(UnreadableImage, match=r"a\.png: not a readable image"):
        decode_image(encoded(skin()), "a.png")


def noise(form: str, **settings) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), form, **settings)


def test_libraries_print_nothing_about_damaged_or_odd_pictures():
    """In a process of its own, as libtiff and Python's last resort of logging write to descriptor 2."""
    floats = bytearray(ramp(0, 0.5, 1, kind=np.float32))
    place = floats.index(np.float32(0.5).tobytes())
    floats[place : place + 4] = b"\1\0\xa0\x7f"  # a signalling NaN
    samples = noise("TIFF").replace(
        struct.pack("<HHIHH", 277, 3, 1, 3, 0), struct.pack("<HHIHH", 277, 3, 1, 127, 0)
    )
    cases = [bytes(floats), samples]
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        data = bytearray(noise("TIFF", compression=compression))
        data[60:90] = b"\xff" * 30
        cases += [bytes(data), bytes(data[: len(data) // 2])]
    palette = Image.new("P", (9, 9))
    cases.append(encoded(palette, transparency=bytes([0, 128, 255])))
    script = f"""
from anonderm.core.decode import decode_image
from anonderm.core.errors import UnreadableImage
for data in {cases!r}:
    try:
        decode_image(data, "a")
    except UnreadableImage:
        pass
"""
    done = subprocess.run(
        [sys.executable, "-W", "default", "-"], input=script, text=True, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_photo_of_108_megapixels_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = encoded(Image.new("1", (12_000, 9_000)), "PNG")
        assert decoded_size(data, "a") == (12_000, 9_000)
