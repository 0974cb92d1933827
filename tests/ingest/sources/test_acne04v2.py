from __future__ import annotations

import json

import pytest

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.acne04 import find_v2


@pytest.fixture
def v2(tmp_path, draw):
    """The published file beside the photos of ACNE04; photos are half as large as stated in the file."""
    images, annotations = [], []
    for index in range(8):
        name = f"levle{index % 2}_{index}.jpg"
        draw(tmp_path / "v2" / "JPEGImages" / name, index, width=40, height=50)
        images.append({"id": index, "file_name": name, "height": 100, "width": 80})
        annotations.append(
            {"id": index, "image_id": index, "radius": 10, "coordinates": [40, 50], "class_name": "acne"}
        )
    content = {"images": images, "annotations": annotations, "info": {"version": 2}}
    return write(tmp_path / "v2", content), content


def write(root, content):
    (root / "Acne04-v2_annotations.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def test_circles_become_boxes_in_the_pixels_of_the_photo(v2, ingest):
    done = ingest(v2[0], "--whole")
    assert done.faces.label_counts == {"mild": 4, "moderate": 4}
    for face in done.faces:
        (lesion,) = face.lesions
        assert (lesion.x0, lesion.y0, lesion.x1, lesion.y1) == pytest.approx((15, 20, 25, 30))
        assert face.lesion_types == ("acne",)
    assert not done.skipped


def test_boxes_follow_the_cut_to_the_square(v2, ingest):
    for face in ingest(v2[0]).faces:
        (lesion,) = face.lesions  # 40 x 50 is cut to 40 x 40 from y = 5, then scaled by 0.4
        assert (lesion.x0, lesion.y0, lesion.x1, lesion.y1) == pytest.approx((6, 6, 10, 10))


def test_faults_are_listed(v2, draw):
    root, content = v2
    content["images"].append({"id": 99, "file_name": "gone.jpg", "height": 1, "width": 1})
    content["annotations"] += [
        {"id": 100, "image_id": 12345, "radius": 10, "coordinates": [40, 50]},
        {"id": 101, "image_id": 0, "radius": -1, "coordinates": [40, 50]},
        {"id": 102, "image_id": 0, "radius": 1, "coordinates": "x"},
    ]
    draw(root / "JPEGImages" / "levle2_77.jpg", 77)
    found = find_v2(IngestConfig(write(root, content)))
    assert len(found.photos) == 8
    expected = ("annotation 100 ", "annotation 101 ", "annotation 102 ", "names 'gone.jpg',")
    assert len(found.skipped) == len(expected)
    assert all(text in item.reason for text, item in zip(expected, found.skipped, strict=True))
    assert found.ignored == {".jpg": 1}


def test_boxes_for_a_picture_of_another_shape_are_left_out(v2, ingest):
    root, content = v2
    content["images"][0]["width"] = 300
    done = ingest(write(root, content), "--whole")
    assert done.face("JPEGImages/levle0_0.jpg").lesions is None
    assert "300 x 100" in done.skipped["JPEGImages/levle0_0.jpg"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"images": 3}', '{"images": [1]}', "[" * 100_000])
def test_a_broken_file_is_named(tmp_path, draw, text):
    draw(tmp_path / "levle0_0.jpg", 0)
    (tmp_path / "acne04v2.json").write_text(text)
    with pytest.raises(InputError, match="acne04v2"):
        find_v2(IngestConfig(tmp_path))
