from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.cli import main
from anonderm.core.errors import MissingPath
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.acne04 import find, parse_line
from anonderm.ingest.sources.layouts import recognise
from anonderm.ingest.sources.voc import read_voc

XML = """<annotation><folder>VOC2007</folder><filename>levle1_0.jpg</filename>
<size><width>40</width><height>40</height><depth>3</depth></size>
<object><name>fore</name><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>20</xmax><ymax>30</ymax></bndbox></object>
</annotation>"""
OUTSIDE = XML.replace("<xmin>11<", "<xmin>100<").replace("<xmax>20<", "<xmax>120<")


@pytest.fixture
def acne04(tmp_path: Path, draw) -> Path:
    """Four photos a level; fold 0 tests the first of each level, fold 1 the second."""
    root = tmp_path / "ACNE04"
    names = [(f"levle{level}_{n}.jpg", level, n) for level in range(4) for n in range(4)]
    for name, level, n in names:
        draw(root / "Classification" / "JPEGImages" / name, 10 * level + n)
        (root / "Detection" / "VOC2007" / "JPEGImages").mkdir(parents=True, exist_ok=True)
        shutil.copy(
            root / "Classification" / "JPEGImages" / name, root / "Detection/VOC2007/JPEGImages" / name
        )
    for fold in (0, 1):
        parts = {"test": [], "trainval": []}
        for name, level, n in names:
            parts["test" if n == fold else "trainval"].append(f"{name}  {level}  {3 * level}")
        for part, lines in parts.items():
            text = "\r\n".join(lines[:5]) + "\r\n" + "\n".join(lines[5:]) + "\n"
            (root / "Classification" / f"NNEW_{part}_{fold}.txt").write_text(text, newline="")
    annotations = root / "Detection" / "VOC2007" / "Annotations"
    annotations.mkdir()
    (annotations / "levle1_0.xml").write_text(XML)
    (annotations / "levle1_2.xml").write_text(
        XML.replace("</annotation>", OUTSIDE[OUTSIDE.index("<object>") :])
    )
    return root


def test_levels_become_severities_with_boxes_licence_and_the_folds_splits(acne04, ingest):
    done = ingest(acne04, "--splits", "given", "--fold", "1", "--val-share", "0")
    assert done.faces.label_counts == {"mild": 4, "moderate": 4, "severe": 4, "very severe": 4}
    tested = {name for name, id in done.files.items() if done.face(name).split == "test"}
    assert tested == {f"Classification/JPEGImages/levle{level}_1.jpg" for level in range(4)}
    assert done.faces.licence.startswith("ACNE04: free for academic usage")
    assert {face.source for face in done.faces} == {"acne04"}
    (lesion,) = done.face("Classification/JPEGImages/levle1_0.jpg").lesions
    assert (lesion.x0, lesion.y0, lesion.x1, lesion.y1) == pytest.approx((4, 8, 8, 12))  # 40 -> 16 pixels
    assert done.face("Classification/JPEGImages/levle1_2.jpg").lesions is None  # one of its two boxes is lost
    assert "lies outside" in done.skipped["Classification/JPEGImages/levle1_2.jpg"]
    assert len(done.skipped) == 1


def test_an_object_without_a_box_leaves_the_boxes_of_its_photo_unknown(acne04, ingest):
    file = "Detection/VOC2007/Annotations/levle1_0.xml"
    (acne04 / file).write_text(
        XML.replace("</annotation>", "<object><name>fore</name></object></annotation>")
    )
    done = ingest(acne04)
    assert done.face("Classification/JPEGImages/levle1_0.jpg").lesions is None
    assert "object 2" in done.skipped[file]


def test_three_classes_by_another_name_for_the_fourth(acne04, ingest):
    done = ingest(acne04, "--relabel", "very severe=severe", "--licence", "mine")
    assert done.faces.label_counts == {"mild": 4, "moderate": 4, "severe": 8}
    assert done.faces.licence == "mine"


def test_whole_photos_keep_their_bytes_and_boxes_in_their_own_pixels(acne04, ingest):
    done = ingest(acne04, "--whole")
    name = "Classification/JPEGImages/levle1_0.jpg"
    face = done.face(name)
    assert (done.faces.folder / face.file).read_bytes() == (acne04 / name).read_bytes()
    assert (face.lesions[0].x0, face.lesions[0].y1) == (10, 30)


def test_the_same_picture_in_two_levels_is_an_error_or_left_out_on_both_sides(
    acne04, ingest, tmp_path, capsys
):
    pictures = acne04 / "Classification" / "JPEGImages"
    shutil.copy(pictures / "levle0_3.jpg", pictures / "levle2_3.jpg")
    shutil.copy(pictures / "levle1_2.jpg", pictures / "levle1_3.jpg")
    assert main(["ingest", "--source", str(acne04), "--out", str(tmp_path / "e"), "--min-side", "16"]) == 2
    assert "--on-conflict drop" in " ".join(capsys.readouterr().err.split())
    done = ingest(acne04, "--on-conflict", "drop")
    assert len(done.faces) == 13
    assert "labelled mild, and the same picture as" in done.skipped["Classification/JPEGImages/levle0_3.jpg"]
    assert "labelled severe, and the same" in done.skipped["Classification/JPEGImages/levle2_3.jpg"]
    assert done.skipped["Classification/JPEGImages/levle1_3.jpg"].startswith("the same picture as")


def test_faults_of_the_lists_are_listed(acne04):
    lists = acne04 / "Classification"
    text = (lists / "NNEW_trainval_0.txt").read_text()
    extra = (
        "gone.jpg 1 4\nlevle0_1.jpg 2 4\nlevle0_0.jpg 0 1\n../../secret.jpg 0 1\nlevle1_1.jpg 7 2\nnonsense\n"
    )
    (lists / "NNEW_trainval_0.txt").write_text("\ufeff" + text + extra, encoding="utf-8")
    (lists / "JPEGImages" / "levle9_1.jpg").write_bytes((lists / "JPEGImages" / "levle0_0.jpg").read_bytes())
    found = find(IngestConfig(acne04))
    reported = [f"{item.file}: {item.reason}" for item in found.skipped]
    assert len(found.photos) == 16
    for expected in (
        "Classification/NNEW_trainval_0.txt: names 'gone.jpg', which does not exist",
        "Classification/JPEGImages/levle0_1.jpg: level 2 in",
        "Classification/JPEGImages/levle0_0.jpg: listed twice",
        "names '../../secret.jpg', which does not exist",
        "not `name level count`: 'levle1_1.jpg 7 2'",
        "not `name level count`: 'nonsense'",
        "levle9_1.jpg: not named by any label file",
    ):
        assert any(expected in line for line in reported), expected
    assert {photo.split for photo in found.photos if photo.name.endswith("_0.jpg")} == {"test"}


def test_the_layout_is_recognised_and_a_missing_fold_named(acne04):
    for source in (acne04, acne04 / "Classification"):
        assert recognise(IngestConfig(source))[0] == "acne04"
    with pytest.raises(MissingPath, match=r"NNEW_test_4\.txt"):
        find(IngestConfig(acne04, fold=4))


def test_an_annotation_that_would_read_other_files_is_refused(tmp_path):
    evil = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>'
    for text in (evil, "<annotation>", "", "<a>" * 5):
        path = tmp_path / "a.xml"
        path.write_text(text)
        annotation = read_voc(path)
        assert (annotation.lesions, annotation.size) == ((), None)
        assert "not a VOC annotation" in annotation.problems[0]


@given(st.text())
def test_any_line_is_read_or_refused(text):
    line = parse_line(text)
    assert line is None or (line[1] in range(4) and line[0])
