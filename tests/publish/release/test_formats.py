"""Every format loads in the programs that it is for, and contains the same faces."""

from __future__ import annotations

import io
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from made_up_line import GENERATOR
from made_up_release import EVERY_FORMAT, FACES_PER_SHARD, contents, unpacked, write_release
from PIL import Image

from anonderm.core.errors import ConfigError, InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import read_csv
from anonderm.core.records import Face
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.layouts import find_photos
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.imagefolder import file_of
from anonderm.publish.release.rows import renamed


def pixels(data: bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_parquet_shards_load_as_pictures_with_the_names_of_their_classes(
    whole: Path, faces_with_boxes: FaceSet, tmp_path: Path
) -> None:
    datasets = pytest.importorskip("datasets")
    files = str(whole / "parquet" / "*.parquet")
    rows = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=str(tmp_path))
    assert len(list((whole / "parquet").iterdir())) == -(-len(faces_with_boxes) // FACES_PER_SHARD)
    assert len(rows) == len(faces_with_boxes)
    for row, face in zip(rows, faces_with_boxes, strict=True):
        assert row["label"] == face.label
        assert (row["seed"], row["psi"], row["generator"]) == (face.seed, face.psi, GENERATOR)
        assert np.array_equal(np.asarray(row["image"]), faces_with_boxes.image(face))


def test_webdataset_streams_pictures_classes_and_rows(whole: Path, faces_with_boxes: FaceSet) -> None:
    webdataset = pytest.importorskip("webdataset")
    shards = sorted(map(str, (whole / "webdataset").glob("*.tar")))
    assert len(shards) == -(-len(faces_with_boxes) // FACES_PER_SHARD)
    loaded = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"))
    assert len(loaded) == len(faces_with_boxes)
    for sample, face in zip(loaded, renamed(faces_with_boxes), strict=True):
        assert np.array_equal(sample["png"], faces_with_boxes.image(face))
        assert faces_with_boxes.labels[sample["cls"]] == face.label
        assert (sample["json"]["id"], sample["json"]["seed"]) == (face.id, face.seed)


def test_coco_boxes_refer_to_the_pictures_of_the_imagefolder(whole: Path, faces_with_boxes: FaceSet) -> None:
    content = json.loads((whole / "coco" / "instances_train.json").read_text(encoding="utf-8"))
    names = {each["id"]: each["name"] for each in content["categories"]}
    files = {each["id"]: each["file_name"] for each in content["images"]}
    assert all((whole / file).is_file() for file in files.values())
    found = {
        (files[each["image_id"]], names[each["category_id"]], *each["bbox"])
        for each in content["annotations"]
    }
    assert found == {
        (file_of(face).as_posix(), box.kind, box.x0, box.y0, box.x1 - box.x0, box.y1 - box.y0)
        for face in renamed(faces_with_boxes)
        for box in face.lesions
    }


def test_a_class_that_looks_like_a_number_is_text_in_every_format(faces: FaceSet, tmp_path: Path) -> None:
    names = {"mild": "01", "moderate": "2"}
    graded = FaceSet(
        faces.folder, tuple(replace(each, label=names.get(str(each.label), "0")) for each in faces)
    )
    release = write_release(tmp_path / "export", graded, formats=EVERY_FORMAT[:-1])
    expected = [face.label for face in graded]
    assert parquet.read_table(release / "parquet").column("label").to_pylist() == expected
    assert [row["label"] for row in read_csv(release / "train" / "metadata.csv")] == expected
    found = unpacked(release)
    rows = [json.loads(data) for name, data in found.items() if name.endswith(".json of ")]
    assert [row["label"] for row in rows] == expected
    numbers = json.loads(found["stylegan/dataset.zip!dataset.json"])
    assert [numbers["class_names"][number] for _, number in numbers["labels"]] == expected


def test_no_file_name_contradicts_a_label_that_grading_changed(faces: FaceSet, tmp_path: Path) -> None:
    graded = FaceSet(faces.folder, tuple(replace(each, label="severe") for each in faces))
    assert any("mild" in face.id for face in graded)
    release = write_release(tmp_path / "export", graded, formats=EVERY_FORMAT[:-1])
    found = [name for name, data in unpacked(release).items() if "mild" in name or b"mild-0" in data]
    assert found == []
    rows = read_csv(release.parent / "names.csv")
    assert [(row["name"], row["id"]) for row in rows] == [
        (f"face-{index:05d}", face.id) for index, face in enumerate(faces)
    ]


def test_faces_whose_lesions_are_unknown_are_not_in_the_coco_file(
    faces_with_boxes: FaceSet, tmp_path: Path
) -> None:
    first, *others = faces_with_boxes
    some = FaceSet(faces_with_boxes.folder, (replace(first, lesions=None), *others))
    release = write_release(tmp_path / "export", some, formats=("imagefolder", "coco"))
    content = json.loads((release / "coco" / "instances_train.json").read_text(encoding="utf-8"))
    assert len(content["images"]) == len(others)
    assert "faces are unknown" in (release / "README.md").read_text(encoding="utf-8")


def test_the_same_faces_give_the_same_files(whole: Path, faces_with_boxes: FaceSet, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"formats": ("imagefolder", "parquet", "webdataset"), "shard_mb": 100.0}
    one = contents(write_release(tmp_path / "one", faces_with_boxes, **settings))
    assert one == contents(write_release(tmp_path / "two", faces_with_boxes, **settings))
    assert [name for name in one if name.endswith((".parquet", ".tar"))] == [
        "parquet/faces-00000.parquet",
        "webdataset/faces-00000.tar",
    ]


def test_ingest_reads_a_release_with_its_labels_and_boxes(faces_with_boxes: FaceSet, tmp_path: Path) -> None:
    first, *others = faces_with_boxes
    some = FaceSet(faces_with_boxes.folder, (replace(first, lesions=None, lesion_types=None), *others))
    release = write_release(tmp_path / "export", some, formats=("imagefolder", "coco"), licence="CC0-1.0")
    _, found = find_photos(IngestConfig(release))
    photos = {Path(photo.name).stem: photo for photo in found.photos}
    assert len(photos) == len(some)
    for face in renamed(some):
        assert (photos[face.id].label, photos[face.id].lesions) == (face.label, face.lesions)


def test_coco_without_boxes_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no face has lesion boxes"):
        write_release(tmp_path / "export", faces, formats=("imagefolder", "coco"))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"formats": ()}, "formats is empty"),
        ({"formats": ("parquet", "parquet")}, "named twice"),
        ({"formats": ("coco",)}, "coco needs imagefolder"),
        ({"shard_mb": 0.0}, "shard_mb"),
        ({"published": "yesterday"}, "published"),
        ({"override_name": "A. Steward"}, "override_name, override_reason and override_date"),
        ({"override_name": "A", "override_reason": "b", "override_date": "21.11.2026"}, "override_date"),
        ({"c2pa_key": Path("key.pem")}, "must be given together"),
    ],
)
def test_settings_that_make_no_release_are_refused(settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        ExportConfig(**settings)


def test_memory_does_not_grow_with_the_set(tmp_path: Path) -> None:
    """Six and twenty-four shards, 12 kB a face: what Python holds at once stays the same."""

    def peak(count: int) -> int:
        rng, writer = np.random.default_rng(0), FaceSetWriter(tmp_path / f"faces-{count}")
        for index in range(count):
            row = Face(f"mild-{index:04d}", label="mild", checkpoint=GENERATOR, seed=index)
            writer.add(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8), row)
        faces = writer.finish()
        tracemalloc.start()
        formats = ("imagefolder", "parquet", "webdataset", "stylegan")
        write_release(tmp_path / f"export-{count}", faces, formats=formats, shard_mb=0.1)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    small = peak(48)  # and whatever is imported on the way
    assert peak(192) < small + 48 * 12_000
