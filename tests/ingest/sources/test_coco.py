from __future__ import annotations

import json

import pytest

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.coco import find
from anonderm.ingest.sources.layouts import recognise

CATEGORIES = [
    {"id": 0, "name": "acne", "supercategory": "none"},
    {"id": 1, "name": "papule", "supercategory": "acne"},
    {"id": 2, "name": "nodule", "supercategory": "acne"},
]


def write(path, images, annotations):
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"info": {}, "images": images, "annotations": annotations, "categories": CATEGORIES}
    path.write_text(json.dumps(content), encoding="utf-8-sig")


@pytest.fixture
def roboflow(tmp_path, draw):
    """Roboflow's export: a JSON file beside the photos of each split."""
    for number, split in enumerate(("train", "valid", "test")):
        images, boxes = [], []
        for n in range(3):
            draw(tmp_path / "coco" / split / f"{n}.jpg", 10 * number + n)
            images.append({"id": n, "file_name": f"{n}.jpg", "height": 40, "width": 40})
            boxes.append({"id": n, "image_id": n, "category_id": 1, "bbox": [4, 8, 10, 20]})
        write(tmp_path / "coco" / split / "_annotations.coco.json", images, boxes)
    return tmp_path / "coco"


def test_boxes_and_splits_come_along(roboflow, ingest):
    assert recognise(IngestConfig(roboflow))[0] == "coco"
    done = ingest(roboflow, "--label", "acne", "--splits", "given", "--whole", "--relabel", "papule=pustule")
    assert {face.split for face in done.faces} == {"train", "val", "test"}
    assert len(done.faces) == 9
    (lesion,) = done.face("train/0.jpg").lesions
    assert (lesion.kind, lesion.x0, lesion.y0, lesion.x1, lesion.y1) == ("pustule", 4, 8, 14, 28)
    assert not done.skipped


def test_faults_are_listed(roboflow, ingest, draw):
    images = [{"id": n, "file_name": f"{n}.jpg", "height": 40, "width": 40} for n in range(3)]
    images.append({"id": 9, "file_name": "gone.jpg", "height": 40, "width": 40})
    boxes = [
        {"id": 1, "image_id": 77, "category_id": 1, "bbox": [4, 8, 10, 20]},
        {"id": 2, "image_id": 0, "category_id": 17, "bbox": [4, 8, 10, 20]},
        {"id": 3, "image_id": 1, "category_id": 1, "bbox": [4, 8, 10]},
        {"id": 4, "image_id": 2, "category_id": 1, "bbox": [400, 8, 10, 5]},
    ]
    write(roboflow / "train" / "_annotations.coco.json", images, boxes)
    draw(roboflow / "train" / "unnamed.jpg", 99)
    reported = {(item.file, item.reason) for item in find(IngestConfig(roboflow)).skipped}
    file = "train/_annotations.coco.json"
    assert reported == {
        (file, "annotation 1 is of an unlisted photo"),
        ("0.jpg", f"{file}: annotation 2 is of the unlisted category 17"),
        ("1.jpg", f"{file}: annotation 3: no box [left, top, width, height]: [4, 8, 10]"),
        (file, "names 'gone.jpg', which does not exist"),
        ("train/unnamed.jpg", "not named by any label file"),
    }
    assert "outside the photo" in ingest(roboflow).skipped["train/2.jpg"]


def test_a_photo_is_free_of_lesions_only_if_no_annotation_can_be_its_own(roboflow):
    images = [{"id": n, "file_name": f"{n}.jpg", "height": 40, "width": 40} for n in range(3)]
    box = {"id": 1, "image_id": 0, "category_id": 1, "bbox": [4, 8, 10, 20]}
    states = {}
    for more in (
        [],
        [box | {"id": 2, "image_id": "x-1"}],
        [box | {"id": 2, "image_id": 1, "category_id": 9}],
    ):
        write(roboflow / "train" / "_annotations.coco.json", images, [box, *more])
        found = {photo.name: photo.lesions for photo in find(IngestConfig(roboflow)).photos}
        states[len(states)] = [found[f"train/{n}.jpg"] for n in (1, 2)]
        assert len(found["train/0.jpg"]) == 1
    assert states == {0: [(), ()], 1: [None, None], 2: [None, ()]}


def test_two_files_that_state_other_lesions_for_a_photo_leave_them_unknown(tmp_path, draw):
    draw(tmp_path / "a.jpg", 0)
    draw(tmp_path / "b.jpg", 1)
    images = [{"id": n, "file_name": f"{name}.jpg", "height": 40, "width": 40} for n, name in enumerate("ab")]
    box = {"id": 1, "image_id": 0, "category_id": 1, "bbox": [4, 8, 10, 20]}
    write(tmp_path / "papules.json", images, [box])
    write(tmp_path / "nodules.json", images, [box | {"category_id": 2}])
    found = find(IngestConfig(tmp_path))
    assert {photo.name: photo.lesions for photo in found.photos} == {"a.jpg": None, "b.jpg": ()}
    assert {item.file: item.reason for item in found.skipped}["a.jpg"].endswith("differ and are unknown")


@pytest.mark.parametrize("named", ["{}", "images/{}", "/data/coco/{}"])
def test_photos_of_one_name_are_told_apart_by_the_name_of_their_file(tmp_path, draw, named):
    for split in ("train2017", "val2017"):
        draw(tmp_path / split / "000001.jpg", len(split))
        image = {"id": 1, "file_name": named.format("000001.jpg"), "height": 40, "width": 40}
        kind = 1 if split == "train2017" else 2
        box = {"id": 1, "image_id": 1, "category_id": kind, "bbox": [4, 8, 10, 20]}
        write(tmp_path / "annotations" / f"instances_{split}.json", [image], [box])
    photos = find(IngestConfig(tmp_path)).photos
    assert [(photo.name, photo.split, photo.lesion_types) for photo in photos] == [
        ("train2017/000001.jpg", "train", ("papule",)),
        ("val2017/000001.jpg", "val", ("nodule",)),
    ]


def test_photos_of_one_name_are_not_guessed_where_nothing_tells_them_apart(tmp_path, draw):
    for folder in ("P01", "P02"):
        draw(tmp_path / folder / "1.jpg", len(folder))
    image = {"id": 1, "file_name": "1.jpg", "height": 40, "width": 40}
    write(tmp_path / "annotations" / "instances_default.json", [image], [])
    found = find(IngestConfig(tmp_path))
    assert not found.photos
    assert "several photos in other places" in found.skipped[0].reason


@pytest.mark.parametrize("more", [{"images": {}}, {"annotations": [3]}, {"categories": 3}])
def test_a_file_of_another_form_is_an_error(tmp_path, more):
    content = {"images": [], "annotations": [], "categories": CATEGORIES, **more}
    (tmp_path / "a.coco.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"a\.coco\.json"):
        find(IngestConfig(tmp_path))
