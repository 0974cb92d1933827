import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from anonderm.core.rundir import Memory
from anonderm.ingest.checks import Check, check_photos
from anonderm.ingest.checks import groups_of_near_duplicates as copies
from anonderm.ingest.sources.photo import File, Photo


def scene(seed, size=(200, 160)):
    """A picture with large and small shapes, unlike those of other seeds."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", size, tuple(rng.integers(60, 200, 3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(40):
        x, y, r = rng.integers(0, size[0]), rng.integers(0, size[1]), rng.integers(4, 40)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=tuple(int(c) for c in rng.integers(0, 256, 3)))
    return picture.filter(ImageFilter.GaussianBlur(1))


def jpeg(picture, quality):
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return Image.open(data).convert("RGB")


def cropped(picture, left, top, right, bottom):
    width, height = picture.size
    return picture.crop((left * width, top * height, width - right * width, height - bottom * height))


CHANGES = {
    "smaller": lambda p: p.resize((80, 64), Image.Resampling.LANCZOS),
    "recompressed": lambda p: jpeg(p, 30),
    "darker": lambda p: p.point(lambda value: value * 0.8 + 10),
    "cropped evenly": lambda p: cropped(p, 0.04, 0.04, 0.04, 0.04),
    "cropped at a side": lambda p: cropped(p, 0.07, 0, 0, 0),
    "mirrored": lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "mirrored, cropped, smaller, recompressed": lambda p: jpeg(
        cropped(p, 0.05, 0.02, 0.03, 0.05).transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((150, 120)), 70
    ),
}


def checked(folder, pictures):
    photos = []
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
        photos.append(Photo(name, File(folder / f"{name}.png")))
    return list(check_photos(photos, 8, 256, Memory(folder)))


def names(groups):
    return [[check.photo.name for check in group] for group in groups]


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_others_and_the_larger_kept_first(tmp_path, change):
    others = {f"other {seed}": scene(seed) for seed in range(1, 6)}
    original = scene(0)
    groups = copies(checked(tmp_path, {"copy": CHANGES[change](original), **others, "original": original}))
    assert [set(group) for group in names(groups)] == [{"original", "copy"}]
    sizes = [check.width * check.height for check in groups[0]]
    assert sizes == sorted(sizes, reverse=True)


def test_all_copies_of_a_picture_form_one_group(tmp_path):
    pictures = {name: change(scene(0)) for name, change in CHANGES.items()} | {"original": scene(0)}
    (group,) = copies(checked(tmp_path, pictures))
    assert len(group) == len(CHANGES) + 1


def test_the_same_scene_with_something_moved_is_no_copy(tmp_path):
    before, after = scene(0), scene(0)
    ImageDraw.Draw(after).ellipse((90, 100, 130, 120), fill="white")
    assert copies(checked(tmp_path, {"before": before, "after": after})) == []


def test_plain_pictures_are_no_copies_of_each_other(tmp_path):
    grey, white = (Image.new("RGB", (64, 64), colour) for colour in ("grey", "white"))
    assert copies(checked(tmp_path, {"grey": grey, "white": white})) == []


def test_no_photos_have_no_copies():
    assert copies([]) == []


def test_a_resumed_check_knows_the_thumbnail(tmp_path):
    first, again = checked(tmp_path, {"a": scene(0)}), checked(tmp_path, {"a": scene(0)})
    assert isinstance(again[0], Check)
    assert np.array_equal(first[0].thumbnail_TT, again[0].thumbnail_TT)
    assert first[0].thumbnail_TT.std() > 10
