"""Tables with one row per box, as programs write them."""

from __future__ import annotations

import json

import pytest

from anonderm.core.errors import AnondermError, InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.layouts import find_photos

PIXELS = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,40,40,papule,4,8,14,28\nb.jpg,40,40,,,,,\n"


@pytest.fixture
def boxes(tmp_path, draw):
    """Writes a table beside two photos and reads it: photo -> its boxes in shares of the sides."""
    draw(tmp_path / "photos" / "a.jpg", 0)
    draw(tmp_path / "photos" / "b.jpg", 1)

    def read(text: str | bytes, name: str = "boxes.csv"):
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        layout, found = find_photos(IngestConfig(tmp_path / name))
        assert layout == "box-table"
        assert {photo.label for photo in found.photos} == {None}
        return {
            photo.name: photo.lesions
            and [
                (each.kind, *(round(side * (1 if photo.boxes_in == (1, 1) else 1 / 40), 4) for side in sides))
                for each in photo.lesions
                for sides in [(each.x0, each.y0, each.x1, each.y1)]
            ]
            for photo in found.photos
        }

    return read


@pytest.mark.parametrize(
    "text",
    [
        PIXELS,
        PIXELS.encode("utf-16"),
        PIXELS.encode("utf-8-sig"),
        "sep=;\r\n" + PIXELS.replace(",", ";").replace("4;8;14;28", "4,0;8,0;14,0;28,0"),
        PIXELS.replace("filename", "Image Path").replace("xmin", "XMin"),
        "".join(f'"{line}"\n' for line in PIXELS.splitlines()),
        "image_id,label,x1,y1,x2,y2\n/kaggle/input/a,papule,4,8,14,28\nb,,,,,\n",
        "image,category,bbox_x,bbox_y,bbox_width,bbox_height\na.jpg,papule,4,8,10,20\nb.jpg,,,,,\n",
        "image,class,x_center,y_center,width,height\na.jpg,papule,9,18,10,20\nb.jpg,,,,,\n",
        "image,class,x_center,y_center,width,height\na.jpg,papule,0.225,0.45,0.25,0.5\nb.jpg,,,,,\n",
        "ImageID,LabelName,XMin,XMax,YMin,YMax\na,papule,0.1,0.35,0.2,0.7\nb,,,,,\n",
    ],
)
def test_boxes_are_read_however_the_table_is_written(boxes, text):
    assert boxes(text) == {"photos/a.jpg": [("papule", 0.1, 0.2, 0.35, 0.7)], "photos/b.jpg": ()}


def test_json_lines_and_parquet_are_read_too(boxes, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    row = {"file_name": "a.jpg", "class": 1.0, "xmin": 4, "ymin": 8.0, "xmax": "14", "ymax": 28}
    expected = {"photos/a.jpg": [("1", 0.1, 0.2, 0.35, 0.7)]}
    assert boxes(json.dumps(row), "t.jsonl") == expected
    assert boxes(json.dumps([row]), "t.json") == expected
    parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "raw")
    assert boxes((tmp_path / "raw").read_bytes(), "t.parquet") == expected


def test_without_a_column_of_kinds_every_box_is_a_lesion(boxes):
    assert boxes("file,xmin,ymin,xmax,ymax\na.jpg,4,8,14,28\n") == {
        "photos/a.jpg": [("lesion", 0.1, 0.2, 0.35, 0.7)]
    }


def test_a_row_that_cannot_be_read_leaves_the_boxes_of_its_photo_unknown(boxes):
    text = PIXELS + "a.jpg,40,40,papule,4,8,x,28\n"
    assert boxes(text) == {"photos/a.jpg": None, "photos/b.jpg": ()}


@pytest.mark.parametrize("kind", ["", "No finding", "none", "background", "no_acne"])
def test_a_row_without_a_box_says_that_there_is_no_lesion(boxes, kind):
    assert boxes(PIXELS.replace("b.jpg,40,40,", f"b.jpg,40,40,{kind}"))["photos/b.jpg"] == ()


@pytest.mark.parametrize("kind", ["papule", "1", "nodule"])
def test_a_lesion_without_a_box_leaves_the_boxes_of_its_photo_unknown(boxes, kind):
    assert boxes(PIXELS.replace("b.jpg,40,40,", f"b.jpg,40,40,{kind}"))["photos/b.jpg"] is None


@pytest.mark.parametrize(
    "header", ["image,class,x,y,width,height", "image,class,x0,y0,dx,dy", "image,class,cx,cy,radius"]
)
def test_columns_that_look_like_boxes_are_never_passed_over(boxes, header):
    cells = ",".join(["a.jpg", "papule", *"1234"][: header.count(",") + 1])
    with pytest.raises(InputError, match="look like boxes"):
        boxes(f"{header}\n{cells}\n")


def test_a_photo_with_two_labels_is_refused_or_left_out(tmp_path, boxes):
    table = tmp_path / "t.csv"
    table.write_text("file,label\na.jpg,mild\nb.jpg,mild\na.jpg,severe\nb.jpg,mild\n")
    with pytest.raises(
        AnondermError, match=r"photos/a\.jpg: labelled mild in t\.csv:2, and severe in t\.csv:4"
    ):
        find_photos(IngestConfig(table))
    _, found = find_photos(IngestConfig(table, on_conflict="drop"))
    assert [photo.name for photo in found.photos] == ["photos/b.jpg"]
    assert [item.kind for item in found.skipped] == ["two labels", "listed twice"]


def test_columns_that_nobody_reads_are_named_where_there_is_no_label(tmp_path, boxes):
    (tmp_path / "t.csv").write_text("file,comedone,papule\na.jpg,0,1\nb.jpg,1,0\n")
    _, found = find_photos(IngestConfig(tmp_path / "t.csv"))
    assert "comedone, papule" in found.skipped[0].reason
    _, found = find_photos(IngestConfig(tmp_path / "t.csv", label="healthy"))
    assert found.skipped == ()
