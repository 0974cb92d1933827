from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.layouts import recognise
from anonderm.ingest.sources.yolo import Classes, find, parse_labels

CARD = """train: ../train/images
val: ../valid/images
test: ../test/images

nc: 2
names: ['papule', 'pustule']
"""


@pytest.fixture
def yolo(tmp_path, draw):
    root = tmp_path / "yolo"
    for number, split in enumerate(("train", "valid", "test")):
        for n in range(4):
            draw(root / split / "images" / f"f{n}.jpg", 10 * number + n, width=80, height=40)
        labels = root / split / "labels"
        labels.mkdir()
        (labels / "f0.txt").write_bytes(b"\xef\xbb\xbf0 0.5 0.5 0.1 0.2\r\n1 0.25 0.5 0.1 0.2\n")
        (labels / "f1.txt").write_text("")
        (labels / "f2.txt").write_text(
            "5 0.5 0.5 0.1 0.1\n0 0.1 nan 0.1 0.1\n0 1.5 1.5 0.1 0.1\n1 .1 .1 .3 .1 .2 .4\n"
        )
    (root / "data.yaml").write_text(CARD)
    return root


def test_boxes_are_read_in_shares_of_the_picture(yolo, ingest):
    assert recognise(IngestConfig(yolo))[0] == "yolo"
    done = ingest(yolo, "--label", "acne", "--splits", "given", "--whole")
    assert len(done.faces) == 9
    assert {face.split for face in done.faces} == {"train", "val", "test"}
    first, second = done.face("train/images/f0.jpg").lesions
    assert (first.kind, first.x0, first.y0, first.x1, first.y1) == (
        "papule",
        *map(pytest.approx, (36, 16, 44, 24)),
    )
    assert second.kind == "pustule"
    assert done.face("train/images/f1.jpg").lesions == ()
    assert done.face("train/images/f2.jpg").lesions is None  # three of its lines cannot be used


def test_a_photo_without_a_label_file_and_stray_ids_are_listed(yolo, ingest):
    (yolo / "train" / "labels" / "gone.txt").write_text("0 .5 .5 .1 .1")
    done = ingest(yolo)
    assert done.skipped["train/images/f3.jpg"] == "not named by any label file"
    assert done.skipped["train/labels/gone.txt"] == "belongs to no photo"
    assert "not `class x y width height`" in done.skipped["train/labels/f2.txt"]
    reported = {f"{item.file}: {item.reason}" for item in find(IngestConfig(yolo)).skipped}
    assert "train/labels/f2.txt: line 1: class '5' is not one of the 2 classes" in reported


LINES = st.lists(st.sampled_from(["0 .5 .5 .1 .1", "1 .2 .2 .1 .1", "7 .5 .5 .1 .1", "0 .5 .5 .1", "# none"]))


@given(LINES, st.booleans())
def test_the_boxes_of_a_photo_are_known_only_if_every_line_is_read(lines, blank):
    """A photo without a text is left out; with one of blank lines, it has no lesions."""
    good = [line for line in lines if line[0] in "01" and len(line.split()) == 5]
    text = "\n".join([*lines, *["  "] * blank])
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("a", "b"):
            Image.new("RGB", (8, 8)).save(root / f"{name}.png")
        (root / "classes.txt").write_text("papule\npustule\n")
        (root / "a.txt").write_text(text)
        found = find(IngestConfig(root))
        (photo,) = found.photos
        assert photo.name == "a.png"
        assert (photo.lesions is None) == (len(good) < len(lines))
        assert photo.lesions is None or len(photo.lesions) == len(lines)
        listed = {item.file for item in found.skipped}
        assert ("a.txt" in listed) == (photo.lesions is None)
        assert "b.png" in listed


def test_the_other_common_folders_are_read_too(tmp_path, draw):
    draw(tmp_path / "images" / "train" / "a.jpg", 0)
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "labels" / "train" / "a.txt").write_text("1 .5 .5 .2 .2")
    (tmp_path / "data.yaml").write_text("path: ../elsewhere\nnames:\n  0: papule\n  1: pustule\n")
    (photo,) = find(IngestConfig(tmp_path)).photos
    assert (photo.split, photo.lesion_types) == ("train", ("pustule",))


@pytest.mark.parametrize(
    "text", ["names: 3", "[", "names: []", "!!python/object:os.system x", "names: {x: y}"]
)
def test_a_card_without_names_is_an_error(yolo, text):
    (yolo / "data.yaml").write_text(text)
    with pytest.raises(InputError, match=r"data\.yaml"):
        find(IngestConfig(yolo))


@given(st.lists(st.text(max_size=30), max_size=4), st.lists(st.text(max_size=5), max_size=3).map(tuple))
def test_any_text_is_read_without_a_crash(lines, names):
    lesions, problems = parse_labels(
        [(n, line) for n, line in enumerate(lines) if line.strip()], Classes(names)
    )
    assert len(lesions) + len(problems) == sum(bool(line.strip()) for line in lines)
