"""Layouts are recognised by what the files say, and no file of labels is passed over without a word."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.layouts import find_photos

# Of photos of 40 x 40 pixels: the box from (4, 8) to (14, 28).
BOX = (0.1, 0.2, 0.35, 0.7)
YOLO = "1 0.225 0.45 0.25 0.5\n"
NAMES = "papule\npustule\n"
CARD = "names: [papule, pustule]\n"
VOC = (
    "<annotation><folder>x</folder><filename>{name}</filename><size><width>40</width><height>40</height>"
    "<depth>3</depth></size><object><name>pustule</name><difficult>1</difficult><truncated>1</truncated>"
    "<bndbox><xmin>5</xmin><ymin>9.0</ymin><xmax>14</xmax><ymax>28</ymax></bndbox></object></annotation>"
)
TENSORFLOW = "filename,width,height,class,xmin,ymin,xmax,ymax\na.jpg,40,40,pustule,4,8,14,28\n"
LONG = "x" * 1_500_000


def coco(*files: str, **changes: object) -> str:
    rows = list(enumerate(files))
    content = {
        "info": changes.pop("info", ""),
        "images": [{"id": n, "file_name": file, "width": 40, "height": 40} for n, file in rows],
        "annotations": [{"id": n, "image_id": n, "category_id": 2, "bbox": [4, 8, 10, 20]} for n, _ in rows],
        "categories": [{"id": 1, "name": "papule"}, {"id": 2, "name": "pustule", "supercategory": "acne"}],
    }
    return json.dumps(content | changes)


@pytest.fixture
def read(tmp_path, draw):
    """Writes files (a photo where the content is None) and reads the folder they are in."""

    def run(files: dict[str, str | bytes | None], **settings):
        for seed, (name, content) in enumerate(files.items()):
            path = tmp_path / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                draw(path, seed)
            else:
                path.write_bytes(content.encode() if isinstance(content, str) else content)
        return find_photos(IngestConfig(tmp_path / "source", **settings))

    return run


def shares(photo):
    """The boxes in shares of the sides of the photo, which is square."""
    side, _ = photo.boxes_in or (40, 40)
    return photo.lesions and [
        (each.kind, *(round(value / side, 3) for value in (each.x0, each.y0, each.x1, each.y1)))
        for each in photo.lesions
    ]


def yolo(text: str | bytes = YOLO, folder: str = "", **names: str | bytes) -> dict[str, str | bytes | None]:
    """One photo, its text, and files of classes; __ in a name stands for the dot."""
    files = {"images/a.jpg": None, "labels/a.txt": text}
    files |= {name.replace("__", "."): content for name, content in names.items()}
    return {f"{folder}{name}": content for name, content in files.items()}


def annotated(**changes: object) -> dict[str, str | None]:
    """One photo, and a COCO file with one annotation changed like this."""
    row = {"id": 0, "image_id": 0, "category_id": 2, "bbox": [4, 8, 10, 20], **changes}
    return {"a.jpg": None, "x.json": coco("a.jpg", annotations=[row])}


ONE_BOX = {
    # Pascal VOC
    "Roboflow VOC": ("voc", {"train/a.jpg": None, "train/a.xml": VOC}),
    "labelImg VOC": ("voc", {"a.jpg": None, "a.xml": VOC.format(name="a.jpg")}),
    "VOC of 2007": ("voc", {"JPEGImages/a.jpg": None, "Annotations/a.xml": VOC}),
    "VOC in lower case": ("voc", {"images/a.JPG": None, "annotations/a.XML": VOC}),
    "VOC of Kaggle": ("voc", {"x/images/a.png": None, "x/annotations/a.xml": VOC.format(name="C:\\a.jpg")}),
    "VOC by filename": ("voc", {"images/a.jpg": None, "xml/0001.xml": VOC.format(name="a.jpg")}),
    "VOC by path": ("voc", {"images/a.jpg": None, "xml/0001.xml": VOC.format(name="D:\\foto\\a.jpg")}),
    "VOC with a lying filename": ("voc", {"p/a.jpg": None, "p/a.xml": VOC.format(name="b.png")}),
    "VOC of a.jpg.xml": ("voc", {"img/a.jpg": None, "ann/a.jpg.xml": VOC}),
    "VOC in UTF-16": (
        "voc",
        {"a.jpg": None, "a.xml": ('<?xml version="1.0" encoding="utf-16"?>' + VOC).encode("utf-16")},
    ),
    "VOC with a namespace": ("voc", {"a.jpg": None, "a.xml": VOC.replace("ion>", "ion xmlns='x'>", 1)}),
    "VOC of size 0": ("voc", {"a.jpg": None, "a.xml": VOC.replace(">40<", ">0<")}),
    "VOC with attributes": (
        "voc",
        {"a.jpg": None, "a.xml": VOC.replace("annotation>", 'annotation verified="no">', 1)},
    ),
    # YOLO
    "labelImg YOLO": ("yolo", {"a.jpg": None, "a.txt": YOLO, "classes.txt": NAMES}),
    "CVAT YOLO": (
        "yolo",
        {
            "obj_train_data/a.jpg": None,
            "obj_train_data/a.txt": YOLO,
            "obj.names": NAMES,
            "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n",
            "train.txt": "data/obj_train_data/a.jpg\n",
        },
    ),
    "wrapped YOLO": ("yolo", yolo(folder="Acne.v1i.yolov8/", data__yaml=CARD)),
    "wrapped twice": ("yolo", yolo(folder="archive/train/", data__yaml=CARD)),
    "capitalised": ("yolo", {"Images/a.jpg": None, "Labels/a.txt": YOLO, "Data.YAML": CARD}),
    "labels elsewhere": ("yolo", {"train/a.jpg": None, "boxes/a.txt": YOLO, "classes.txt": NAMES}),
    "card of any name": ("yolo", yolo(acne__yml=CARD)),
    "names by text": ("yolo", yolo(data__yaml="names: {'0': papule, '1': pustule}")),
    "names by items": ("yolo", yolo(data__yaml="names:\n- 0: papule\n- 1: pustule\n")),
    "numbers in names": ("yolo", yolo(classes__txt="0 papule\n1 pustule\n")),
    "numbers from 1": ("yolo", yolo(classes__txt="1: papule\r\n2: pustule\r\n")),
    "class as float": ("yolo", yolo("1.000000\t.225 .45 .25 .5\r\n", classes__txt=NAMES)),
    "confidence": ("yolo", yolo("1 .225 .45 .25 .5 .9", classes__txt=NAMES)),
    "key points": ("yolo", yolo("1 .225 .45 .25 .5 .2 .2 .3 .4", d__yaml=CARD + "kpt_shape: [2, 2]\n")),
    "decimal commas": ("yolo", yolo("1 0,225 0,45 0,25 0,5\n", classes__txt=NAMES)),
    "commas": ("yolo", yolo("1,0.225,0.45,0.25,0.5\n", classes__txt=NAMES)),
    "outline": ("yolo", yolo("1 .1 .2 .35 .2 .35 .7 .1 .7", classes__txt=NAMES)),
    "byte order mark": ("yolo", yolo(YOLO.encode("utf-8-sig"), classes__txt=NAMES.encode("utf-16"))),
    "model beside card": ("yolo", yolo(acne__yaml=CARD, a_model__yaml="nc: 80\nbackbone: []\n")),
    # COCO
    "Label Studio COCO": ("coco", {"images/a.jpg": None, "result.json": coco("images/a.jpg")}),
    "COCO at the top": ("coco", {"images/a.jpg": None, "annotations.json": coco("a.jpg")}),
    "FiftyOne": ("coco", {"data/a.jpg": None, "labels.json": coco("a.jpg")}),
    "Roboflow COCO": ("coco", {"train/a.jpg": None, "train/_annotations.coco.json": coco("a.jpg")}),
    "CVAT COCO": ("coco", {"images/a.jpg": None, "annotations/instances_default.json": coco("a.jpg")}),
    "wrapped COCO": ("coco", {"x/y/images/a.jpg": None, "x/y/annotations/instances.json": coco("a.jpg")}),
    "COCO in UTF-16": ("coco", {"a.jpg": None, "x.json": coco("a.jpg").encode("utf-16")}),
    "keys in the middle": ("coco", {"a.jpg": None, "x.json": coco("a.jpg", info=LONG, z=LONG)}),
    "polygon": ("coco", annotated(bbox=None, segmentation=[[4, 8, 14, 8, 14, 28, 4, 28]])),
    "ids of all types": ("coco", annotated(image_id=0.0, category_id="2", bbox=["4", "8", 10, 20.0])),
    "crowd": ("coco", annotated(iscrowd=1, segmentation={"counts": "x", "size": [40, 40]})),
    # tables of boxes
    "TensorFlow": ("box-table", {"train/a.jpg": None, "train/_annotations.csv": TENSORFLOW}),
    "RetinaNet": (
        "box-table",
        {"a.jpg": None, "_annotations.csv": "a.jpg,4,8,14,28,pustule\n", "_classes.csv": "pustule,0\n"},
    ),
    "healthy first": (
        "box-table",
        {"b.jpg": None, "a.jpg": None, "boxes.csv": "/x/b.jpg,,,,,\n/x/a.jpg,4,8,14,28,pustule\n"},
    ),
}


@pytest.mark.parametrize("what", ONE_BOX)
def test_boxes_are_read_from_what_programs_write(read, what):
    expected, files = ONE_BOX[what]
    layout, found = read(files | {"__MACOSX/._a.jpg": "x", ".DS_Store": "x", "Thumbs.db": "x"})
    photo = next(each for each in found.photos if "a." in each.name)
    assert (layout, photo.label) == (expected, None)
    assert shares(photo) == [("pustule", *BOX)]


ADDRESSES = [
    r"..\..\upload\4\a0.jpg",
    "/kaggle/input/acne/a0.jpg",
    r"C:\Users\x\a0.JPG",
    "file:///home/dev/a0.jpg",
    "a0",
    "A0.png",
    "/data/upload/1/a0.jpg?v=3",
    "/data/local-files/?d=upload/1/a0.jpg",
    "./images/../a0.jpg",
    "images/./a0.jpg",
    "https://host/images/a0.jpg",
    "../../../../etc/a0.jpg",
]


@pytest.mark.parametrize("written", ADDRESSES)
def test_photos_are_found_by_names_of_other_machines(read, written):
    _, found = read({"images/a0.jpg": None, "result.json": coco(written)})
    assert [photo.name for photo in found.photos] == ["images/a0.jpg"]


@pytest.mark.parametrize("written", ["ab%20c.jpg", "data/upload/1/ab%20c.jpg", "ab c"])
def test_escaped_names_are_found(read, written):
    _, found = read({"images/ab c.jpg": None, "result.json": coco(written)})
    assert [photo.name for photo in found.photos] == ["images/ab c.jpg"]


def test_labels_never_go_to_a_photo_of_the_same_name_in_another_split_or_of_another_person(read):
    # Of test/ and P01/ only the labels were downloaded.
    files = coco("P01/1.jpg", "P02/1.jpg")
    with pytest.raises(InputError, match=r"could be any of p01/1, p02/1"):
        read({"P02/1.jpg": None, "all.json": files})
    _, found = read({"train/images/2.jpg": None, "all.json": coco("train/2.jpg", "test/2.jpg")})
    assert [photo.name for photo in found.photos] == ["train/images/2.jpg"]
    assert any("names 'test/2.jpg', which does not exist" in item.reason for item in found.skipped)


def test_annotations_by_person_belong_to_photos_by_person(read):
    _, found = read(
        {
            **{f"JPEGImages/P0{n}/1.jpg": None for n in (1, 2)},
            **{f"Annotations/P0{n}/1.xml": VOC.replace("pustule", f"kind{n}") for n in (1, 2)},
        }
    )
    assert [photo.lesion_types for photo in found.photos] == [("kind1",), ("kind2",)]


def test_each_of_two_exports_has_its_own_classes(read):
    files = {"A/data.yaml": CARD, "B/data.yaml": "names: [nodule, cyst]\n"}
    for part in "AB":
        files |= {f"{part}/images/{part}.jpg": None, f"{part}/labels/{part}.txt": YOLO}
    _, found = read(files)
    assert [photo.lesion_types for photo in found.photos] == [("pustule",), ("cyst",)]


def test_two_lists_of_classes_that_could_both_be_meant_are_named(read):
    files = {
        "images/a.jpg": None,
        "labels/a.txt": YOLO,
        "x/classes.txt": NAMES,
        "y/classes.txt": "cyst\nnodule\n",
    }
    with pytest.raises(InputError, match=r"x/classes\.txt or y/classes\.txt"):
        read(files)


def test_healthy_photos_first_do_not_hide_the_boxes(read):
    files = {f"a{n:02}.jpg": None for n in range(25)} | {f"a{n:02}.txt": "" for n in range(25)}
    layout, found = read(files | {"z.jpg": None, "z.txt": YOLO})
    assert layout == "yolo"
    assert Counter(photo.lesions is not None and len(photo.lesions) for photo in found.photos) == {
        0: 25,
        1: 1,
    }


def test_lists_of_files_give_the_splits(read):
    files = {
        f"obj_train_data/{name}.{suffix}": text
        for name in "abc"
        for suffix, text in (("jpg", None), ("txt", YOLO))
    }
    lists = {"train.txt": "data/obj_train_data/a.jpg", "autosplit_val.txt": "./obj_train_data/b.jpg"}
    _, found = read(files | lists | {"obj.names": NAMES})
    assert [photo.split for photo in found.photos] == ["train", "val", None]
    assert not found.skipped


UNREADABLE = {
    "YOLO": {"a.jpg": None, "a.txt": YOLO + "1 x y z w\n", "b.jpg": None, "b.txt": "", "classes.txt": NAMES},
    "VOC": {"a.jpg": None, "a.xml": VOC[:-30], "b.jpg": None, "b.xml": "<annotation></annotation>"},
    "VOC bomb": {
        "a.jpg": None,
        "a.xml": '<!DOCTYPE x [<!ENTITY a "b">]><annotation><object><name>&a;</name></object></annotation>',
        "b.jpg": None,
        "b.xml": "<annotation></annotation>",
    },
    "COCO": {
        "a.jpg": None,
        "b.jpg": None,
        "x.json": coco(
            "a.jpg",
            "b.jpg",
            annotations=[
                {"id": 0, "image_id": 0, "category_id": 2, "bbox": [4, 8, 10, 20]},
                {"id": 1, "image_id": 0, "category_id": 2, "segmentation": {"counts": "x", "size": [40, 40]}},
            ],
        ),
    },
    "table": {
        "a.jpg": None,
        "b.jpg": None,
        "x.csv": "a.jpg,4,8,14,28,pustule\na.jpg,4,8,x,28,pustule\nb.jpg,,,,,\n",
    },
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_boxes_are_unknown_where_one_cannot_be_read_and_none_where_the_source_says_so(read, what):
    _, found = read(UNREADABLE[what])
    assert [(photo.lesions, photo.lesion_types) for photo in found.photos] == [(None, None), ((), ())]
    assert any(item.kind == "box unusable" for item in found.skipped)


SHAPES = json.dumps({"shapes": [{"label": "papule", "points": [[1, 2], [3, 4]]}], "imagePath": "a.jpg"})
PASSED_OVER = {
    "LabelMe": {"a.json": SHAPES},
    "LabelMe elsewhere": {"json/1.json": SHAPES},
    "Supervisely": {"ann/a.jpg.json": '{"objects": [{"classTitle": "papule"}]}'},
    "VIA": {"via_region_data.json": '{"a.jpg123": {"filename": "a.jpg", "regions": []}}'},
    "CVAT for images": {"x.xml": '<annotations><image name="a.jpg"><box label="x"/></image></annotations>'},
    "YOLO as a.jpg.txt": {"a.jpg.txt": YOLO},
    "captions": {"a.txt": "a face with acne"},
    "list of classes": {"labels.txt": "a 0\nb 1\nc 2\n"},
    "table by stems": {"grades.csv": "id,grade\na,1\nb,2\nc,3\n"},
    "JSON by stems": {"grades.json": '{"a": 1, "b": 2, "c": 3}'},
    "spreadsheet": {"grades.xlsx": b"PK"},
    "packed": {"boxes.json.gz": b"x"},
    "array": {"grades.npy": b"x"},
    "UTF-16": {"grades.csv": "file;grade\na.jpg;1\n".encode("utf-16")},
}


@pytest.mark.parametrize("in_classes", [False, True])
@pytest.mark.parametrize("what", PASSED_OVER)
def test_labels_that_no_layout_reads_stop_the_run_and_are_named(read, what, in_classes):
    files = {f"{'mild/' if in_classes else ''}{name}.jpg": None for name in "abc"}
    if in_classes:
        files["severe/z.jpg"] = None
    (label_file,) = PASSED_OVER[what]
    with pytest.raises(InputError) as caught:
        read(files | PASSED_OVER[what])
    name = "folders" if in_classes else "flat"
    assert label_file in caught.value.message
    assert f"--layout {name}" in (caught.value.hint or "")
    _, found = read({}, layout=name)
    assert len(found.photos) == (4 if in_classes else 3)


@pytest.mark.parametrize("name", ["README.txt", "notes.json", "README.md", "mild/notes.txt", "index.html"])
def test_files_that_are_no_labels_do_no_harm(read, name):
    text = "Photos of our clinic.\n1. Left and right cheek.\n2. License: CC BY 4.0\n"
    files = {"mild/left.jpg": None, "mild/right.jpg": None, "severe/front.jpg": None}
    assert read(files | {name: text})[0] == "folders"


def test_a_second_kind_of_labels_is_listed(read):
    files = {
        "a.jpg": None,
        "b.jpg": None,
        "a.xml": VOC,
        "b.xml": VOC,
        "a.txt": YOLO,
        "b.txt": YOLO,
        "grade.csv": "file,grade\na.jpg,1\n",
    }
    layout, found = read(files)
    assert (layout, len(found.photos)) == ("voc", 2)
    unread = {item.file: item.reason for item in found.skipped if item.kind == "label file not read"}
    assert unread.keys() == {"a.txt", "grade.csv"}
    assert "like 1 more .txt files" in unread["a.txt"]


SIBLINGS = {
    "captions": {"annotations": [{"id": 1, "image_id": 0, "caption": "a face"}], "categories": []},
    "panoptic": {"annotations": [{"image_id": 0, "segments_info": []}]},
    "image_info": {"annotations": []},
    "person_keypoints": {},
    "stuff": {},
}


@pytest.mark.parametrize("kind", SIBLINGS)
def test_siblings_of_the_instances_are_listed_and_not_read(read, kind):
    files = {"train2017/a.jpg": None, "annotations/instances_train2017.json": coco("a.jpg")}
    sibling = f"annotations/{kind}_train2017.json"
    _, found = read(files | {sibling: coco("a.jpg", **SIBLINGS[kind])})
    assert shares(found.photos[0]) == [("pustule", *BOX)]
    assert [(item.file, item.kind) for item in found.skipped] == [(sibling, "label file not read")]


def test_licences_of_coco_stay_with_their_photos(read):
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 40, "height": 40, "license": n} for n in range(3)]
    licences = [{"id": 0, "name": "CC BY 4.0", "url": "https://x/by"}, {"id": "1", "url": "https://x/0"}]
    files = {f"{n}.jpg": None for n in range(3)}
    _, found = read(files | {"x.json": coco(images=images, licenses=licences, annotations=[])})
    assert [photo.licence for photo in found.photos] == ["CC BY 4.0 (https://x/by)", "https://x/0", ""]


def test_ids_that_stand_for_several_photos_or_classes_are_never_guessed(read):
    images = [{"id": n // 2, "file_name": f"{n}.jpg"} for n in range(3)]
    _, found = read({f"{n}.jpg": None for n in range(3)} | {"x.json": coco(images=images, annotations=[])})
    assert [photo.name for photo in found.photos] == ["2.jpg"]
    assert "2 photos have the id 0" in found.skipped[0].reason
    categories = [{"id": 2, "name": "papule"}, {"id": 2, "name": "cyst"}]
    _, found = read({"x.json": coco("2.jpg", categories=categories)})
    assert [photo.lesions for photo in found.photos] == [None]


def test_a_coco_file_without_categories_is_named(read):
    with pytest.raises(InputError, match="`categories` are missing"):
        read({"a.jpg": None, "x.json": coco("a.jpg", categories=[])})


CLASSES = {"mild": 2, "severe": 1}
BY_FOLDERS = {
    "folders": ["mild/a.jpg", "mild/b.jpg", "severe/c.jpg"],
    "people within": ["mild/P1/a.jpg", "mild/P2/b.jpg", "severe/P3/c.jpg"],
    "wrapped": ["acne/mild/a.jpg", "acne/mild/b.jpg", "acne/severe/c.jpg"],
    "wrapped twice": ["x/acne/mild/a.jpg", "x/acne/mild/b.jpg", "x/acne/severe/c.jpg"],
    "splits": ["train/mild/a.jpg", "valid/mild/b.jpg", "test/severe/c.jpg"],
    "wrapped splits": ["x/Train/mild/a.jpg", "x/Train/mild/b.jpg", "x/Test/severe/c.jpg"],
    "splits wrapped twice": ["x/y/train/mild/a.jpg", "x/y/train/mild/b.jpg", "x/y/val/severe/c.jpg"],
}


@pytest.mark.parametrize("what", BY_FOLDERS)
def test_the_class_is_the_folder_that_is_one(read, what):
    others = {"models/model.py": "x", "__MACOSX/mild/._a.jpg": "x", "@eaDir/a.jpg/THUMB.jpg": "x"}
    _, found = read(
        dict.fromkeys(BY_FOLDERS[what]) | ({} if what in ("folders", "people within") else others)
    )
    assert Counter(photo.label for photo in found.photos) == CLASSES


@pytest.mark.parametrize("mask", ["masks/a.png", "masks/mild/a.png", "skin_mask/a.png"])
@pytest.mark.parametrize("photo", ["images/a.jpg", "a.jpg", "mild/a.jpg"])
def test_masks_are_no_photos_of_a_class(read, photo, mask):
    with pytest.raises(InputError, match=mask):
        read({photo: None, mask: None})


def test_the_advice_names_the_folder_within(read):
    with pytest.raises(InputError) as caught:
        read({"images/a.jpg": None, "grades.csv": "file,grade\na.jpg,1\n"})
    assert "--layout flat --source" in (caught.value.hint or "")
    assert (caught.value.hint or "").rstrip(".").endswith("images")


def test_a_folder_called_images_is_no_class(read):
    layout, found = read({"images/a.jpg": None, "images/b.jpg": None})
    assert (layout, {photo.label for photo in found.photos}) == ("flat", {None})


@pytest.mark.parametrize("other", ["docs/figure.png", "sample.jpg", "extra/mild/x.jpg", "train/loose.jpg"])
def test_splits_are_never_taken_for_classes(read, other):
    files = dict.fromkeys(["train/mild/a.jpg", "train/mild/b.jpg", "test/severe/c.jpg", other])
    with pytest.raises(InputError, match=r"its sub-folders are splits \(test, train\)"):
        read(files)
    _, found = read({}, layout="split-folders")
    assert Counter(photo.label for photo in found.photos) == CLASSES
    assert [item.file for item in found.skipped] == [other]
