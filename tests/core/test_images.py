from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anonderm.core.errors import MissingPath, UnreadableImage
from anonderm.core.images import encode_png, grid, read_image, resize, resize_mask, square, write_png

RED, WHITE = (255, 0, 0), (255, 255, 255)


def save(image: Image.Image, path: Path, **options) -> Path:
    image.save(path, **options)
    return path


def test_png_survives_a_round_trip(tmp_path):
    image = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    data = write_png(tmp_path / "a.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), image)
    assert (tmp_path / "a.png").read_bytes() == data == encode_png(image)


def test_a_mask_is_written_as_black_and_white(tmp_path):
    mask = np.eye(4, dtype=bool)
    write_png(tmp_path / "a.png", mask)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], np.where(mask, 255, 0))


def test_a_photo_is_rotated_according_to_its_exif_orientation(tmp_path):
    """Orientation 6: the left edge of the stored image is the top of the photo."""
    stored = np.zeros((16, 24, 3), np.uint8)
    stored[:, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    read = read_image(save(Image.fromarray(stored), tmp_path / "a.jpg", exif=exif, quality=95))
    assert read.shape == (24, 16, 3)
    assert read[:7].mean() > 240
    assert read[9:].mean() < 15


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_become_white(tmp_path, mode):
    clear = (255, 0, 0, 0) if mode == "RGBA" else (0, 0)
    read = read_image(save(Image.new(mode, (4, 4), clear), tmp_path / "a.png"))
    assert (read == WHITE).all()


def test_half_transparent_pixels_are_blended_with_white(tmp_path):
    read = read_image(save(Image.new("RGBA", (4, 4), (255, 0, 0, 128)), tmp_path / "a.png"))
    np.testing.assert_allclose(read[0, 0], (255, 127, 127), atol=1)


def test_a_transparent_palette_colour_becomes_white(tmp_path):
    image = Image.new("P", (4, 4), 0)
    image.putpalette([*RED, 0, 0, 255])
    image.putpixel((1, 0), 1)
    read = read_image(save(image, tmp_path / "a.png", transparency=0))
    assert tuple(read[0, 0]) == WHITE
    assert tuple(read[0, 1]) == (0, 0, 255)


@pytest.mark.parametrize(("stored", "expected"), [(0, 0), (32768, 128), (65535, 255)])
def test_sixteen_bit_grey_is_scaled_and_not_clipped(tmp_path, stored, expected):
    values = np.full((4, 4), stored, np.uint16)
    values[0, 0] = 65535
    read = read_image(save(Image.fromarray(values), tmp_path / "a.png"))
    assert tuple(read[1, 1]) == (expected,) * 3


def test_cmyk_is_converted(tmp_path):
    read = read_image(save(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=95))
    np.testing.assert_allclose(read[8, 8], RED, atol=6)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "P", "YCbCr"])
def test_every_mode_becomes_rgb(tmp_path, mode):
    read = read_image(save(Image.new("RGB", (6, 4), "white").convert(mode), tmp_path / "a.tif"))
    assert read.shape == (4, 6, 3)
    assert read.dtype == np.uint8
    assert (read == 255).all()


def test_an_image_of_one_pixel_is_read(tmp_path):
    assert read_image(save(Image.new("RGB", (1, 1), RED), tmp_path / "a.png")).tolist() == [[[255, 0, 0]]]


def test_a_truncated_photo_is_named_in_the_error(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(Image.fromarray(noise), tmp_path / "a.jpg")
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(UnreadableImage, match=r"a\.jpg: not a readable image \(.*truncated"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"dear diary", b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_not_an_image_is_named_in_the_error(tmp_path, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"a\.jpg: not a readable image") as caught:
        read_image(tmp_path / "a.jpg")
    assert caught.value.message.count("a.jpg") == 1
    assert "--skip-unreadable" in caught.value.hint


def test_a_missing_file_is_named_in_the_error_and_a_folder_is_refused(tmp_path):
    with pytest.raises(MissingPath, match=r"gone\.jpg"):
        read_image(tmp_path / "gone.jpg")
    with pytest.raises(UnreadableImage):
        read_image(tmp_path)


@pytest.mark.filterwarnings("ignore")
@settings(deadline=None, max_examples=150)
@given(
    form=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "TIFF"]),
    length=st.floats(0, 1),
    damage=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=5),
)
def test_a_damaged_file_is_read_or_raises_unreadable_image(tmp_path_factory, form, length, damage):
    path = tmp_path_factory.mktemp("damaged") / "a.bin"
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, form)
    data = bytearray(path.read_bytes())
    for place, value in damage:
        data[int(place * len(data))] = value
    path.write_bytes(data[: round(length * len(data))])
    try:
        read = read_image(path)
    except UnreadableImage:
        return
    assert read.dtype == np.uint8
    assert read.ndim == 3
    assert read.shape[2] == 3


def test_the_square_crop_is_centred():
    image = np.arange(3 * 7, dtype=np.uint8).reshape(3, 7, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(square(image), image[:, 2:5])
    np.testing.assert_array_equal(square(image.transpose(1, 0, 2)), image.transpose(1, 0, 2)[2:5])


def test_downscaling_averages_where_sampling_would_alias():
    board = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)[..., None].repeat(3, axis=2)
    np.testing.assert_allclose(resize(board, 16), 127, atol=3)


def test_an_image_of_the_right_size_is_unchanged():
    image = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize(image, 8), image)


def test_a_grid_puts_each_image_in_its_place():
    images = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((5, 4, 4, 3), np.uint8)
    sheet = grid(images, columns=3, gap=2)
    assert sheet.shape == (10, 16, 3)
    assert sheet[1, 7, 0] == 1
    assert sheet[7, 7, 0] == 4
    assert (sheet[4:6] == 255).all()
    assert (sheet[6:, 12:] == 255).all()


def test_a_mask_is_true_where_at_least_half_of_what_a_pixel_covers_is():
    mask_HW = np.zeros((8, 8), bool)
    mask_HW[:, :4] = True
    assert (resize_mask(mask_HW, 4, 2) == [[True, True, False, False]] * 2).all()
    assert resize_mask(mask_HW, 8, 8) is mask_HW
