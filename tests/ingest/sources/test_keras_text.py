from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.keras_text import find, parse_line


@pytest.fixture
def export(tmp_path, draw):
    """As Roboflow exports it, with augmented copies, an unlabelled photo and faults."""
    for number, split in enumerate(("train", "valid", "test")):
        folder = tmp_path / "acne" / split
        for n in range(3):
            draw(folder / f"face {n}_jpg.rf.{'0123456789abcdef' * 2}.jpg", 10 * number + n)
        draw(folder / "写真.jpg", 10 * number + 7)
        names = [f"face {n}_jpg.rf.{'0123456789abcdef' * 2}.jpg" for n in range(3)]
        (folder / "_classes.txt").write_text("papule\npustule\n")
        lines = [
            f"{names[0]} 4,8,20,24,0 0,0,10,10,1",
            f"{names[1]}",
            f"{names[2]} 4,8,20,24,7 1,2,x,4,0 -30,0,10,10,1",
            "写真.jpg 0,0,8,8,1",
        ]
        (folder / "_annotations.txt").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    return tmp_path / "acne"


def test_boxes_kinds_splits_and_originals_come_along(export, ingest):
    done = ingest(export, "--label", "acne", "--splits", "given", "--whole")
    copy = f"face 0_jpg.rf.{'0123456789abcdef' * 2}.jpg"
    face = done.face(f"train/{copy}")
    assert [(each.kind, each.x0, each.y1) for each in face.lesions] == [("papule", 4, 24), ("pustule", 0, 10)]
    assert face.lesion_types == ("papule", "pustule")
    assert done.face(f"train/face 1_jpg.rf.{'0123456789abcdef' * 2}.jpg").lesions == ()
    assert [done.face(f"{split}/写真.jpg").split for split in ("train", "valid", "test")] == [
        "train",
        "val",
        "test",
    ]
    # Copies of one original are one person, also across the splits of the source.
    assert len({done.face(f"{split}/{copy}").subject for split in ("train", "valid", "test")}) == 1
    unread = f"train/face 2_jpg.rf.{'0123456789abcdef' * 2}.jpg"
    assert done.face(unread).lesions is None
    assert "not left,top,right,bottom,class" in done.skipped[unread]


def test_stray_classes_and_broken_boxes_are_listed(export):
    reasons = [item.reason for item in find(IngestConfig(export)).skipped if item.file.startswith("train/")]
    assert any("class 7 is not one of the 2 classes" in reason for reason in reasons)
    assert any("'1,2,x,4,0' is not left,top,right,bottom,class" in reason for reason in reasons)
    assert len(reasons) == 2


def test_missing_and_unnamed_photos_are_listed(export, draw):
    draw(export / "train" / "extra.jpg", 99)
    with (export / "train" / "_annotations.txt").open("a") as file:
        file.write("\ngone.jpg 1,2,3,4,0\n../valid/写真.jpg 1,2,3,4,0\n../../../etc/passwd 1,2,3,4,0\n")
    found = find(IngestConfig(export))
    reported = {f"{item.file}: {item.reason}" for item in found.skipped}
    assert "train/extra.jpg: not named by any label file" in reported
    assert "valid/写真.jpg: listed twice; their lesions differ and are unknown" in reported
    assert next(photo for photo in found.photos if photo.name == "valid/写真.jpg").lesions is None
    for name in ("gone.jpg", "../../../etc/passwd"):
        assert any(f"names {name!r}, which does not exist" in line for line in reported)


@given(
    st.text(st.characters(exclude_characters="\n\r")), st.lists(st.text(max_size=5), max_size=3).map(tuple)
)
def test_any_line_is_read_without_a_crash(text, names):
    _, lesions, _ = parse_line(text, names)
    assert all(lesion.kind in names or not names for lesion in lesions)


@given(
    st.lists(st.tuples(*[st.integers(-9, 999)] * 4, st.integers(0, 1)), max_size=4),
    st.sampled_from(["a.jpg", "a b.jpg", "写真 1.jpg"]),
)
def test_a_line_comes_back_as_it_was_written(boxes, name):
    text = " ".join([name, *(",".join(map(str, box)) for box in boxes)])
    read, lesions, problems = parse_line(text, ("papule", "pustule"))
    assert read == name
    assert not problems
    shown = [(each.x0, each.y0, each.x1, each.y1, each.kind == "pustule") for each in lesions]
    assert shown == [tuple(box) for box in boxes]
