import csv
import json

import pytest

from anonderm.core.errors import InputError, MissingPath
from anonderm.ingest.align.framing import FacePoints
from anonderm.ingest.align.point_file import WRITTEN, read_points, row_of

POINTS = FacePoints((10.0, 20.0), (50.5, 21.0), (30.0, 60.0))


def test_what_is_written_is_read_back_with_bom_and_any_line_end(tmp_path):
    row = row_of("写真/a.jpg", POINTS)
    path = tmp_path / "points.csv"
    lines = [",".join(row), ",".join(map(str, row.values())), "", "b.jpg,,,,,,,,"]
    path.write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    assert read_points(path) == {"写真/a.jpg": (POINTS,)}


def test_json_holds_the_same_rows_and_several_faces_of_a_photo(tmp_path):
    path = tmp_path / "points.json"
    path.write_text(json.dumps([row_of("a", POINTS), row_of("a", POINTS), row_of("b", POINTS)]))
    assert {photo: len(faces) for photo, faces in read_points(path).items()} == {"a": 2, "b": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"left_eye_x": "near"}, "row 1"),
        ({"left_eye_x": "nan"}, "not finite"),
        ({"mouth_left_y": ""}, "no mouth_left_y"),
        ({"right_eye_x": 10, "right_eye_y": 20}, "coincide"),
        ({"photo": ""}, "no photo"),
    ],
)
def test_a_bad_row_is_named(tmp_path, change, message):
    with (tmp_path / "points.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, WRITTEN)
        writer.writeheader()
        writer.writerow(row_of("a", POINTS) | change)
    with pytest.raises(InputError, match=message):
        read_points(tmp_path / "points.csv")


@pytest.mark.parametrize(
    "content", [b'{"a": 1}', b"[1, 2]", b"\xff\xfe", b"[{", b"[" * 50_000, b'["\\ud800"]']
)
def test_a_file_of_another_form_is_an_error(tmp_path, content):
    (tmp_path / "points.json").write_bytes(content)
    with pytest.raises(InputError, match=r"points\.json"):
        read_points(tmp_path / "points.json")


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(MissingPath):
        read_points(tmp_path / "points.csv")
