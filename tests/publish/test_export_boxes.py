"""Boxes written for other detectors come back through ingest as they went out."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face, Lesion
from anonderm.core.rundir import RunDir
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.ingest import ingest
from anonderm.publish.export_boxes import ExportBoxesConfig, export_boxes

BOXES = {
    "a": (Lesion("papule", 3, 5.5, 17.25, 20), Lesion("nodule", 40, 40, 64, 64)),
    "b": (Lesion("scar", 1, 2, 9, 12),),
    "c": (),
}
SPLITS = {"a": "train", "b": "test", "c": "val"}


def some_faces(folder: Path, **fields: object) -> FaceSet:
    writer, rng = FaceSetWriter(folder), np.random.default_rng(0)
    for name, lesions in BOXES.items():
        image = rng.integers(0, 256, (64, 64, 3)).astype(np.uint8)
        writer.add(image, Face(name, split=SPLITS[name], subject=name, lesions=lesions, **fields))
    return writer.finish()


def export(folder: Path, faces: FaceSet) -> Path:
    config = ExportBoxesConfig()
    with RunDir.open(folder, "export-boxes", config, {}) as run:
        export_boxes(config, faces, run)
    return folder / "boxes"


@pytest.mark.parametrize("form", ["yolo", "coco"])
def test_what_ingest_reads_is_what_was_written(form: str, tmp_path: Path) -> None:
    faces = some_faces(tmp_path / "faces")
    boxes = export(tmp_path / "out", faces)
    config = IngestConfig(boxes / form, size=64, splits="given")
    with RunDir.open(tmp_path / "in", "ingest", config, {}) as run:
        again = ingest(config, run)
    assert len(again) == len(faces)
    by_split = {face.split: face for face in again}
    for face in faces:
        back = by_split[face.split]
        assert np.array_equal(again.image(back), faces.image(face))
        assert [lesion.kind for lesion in back.lesions] == [lesion.kind for lesion in face.lesions]
        for came, went in zip(back.lesions, face.lesions, strict=True):
            sides = [(each.x0, each.y0, each.x1, each.y1) for each in (came, went)]
            assert sides[0] == pytest.approx(sides[1], abs=1e-4)


def test_yolo_uses_shares_and_coco_uses_pixels(tmp_path: Path) -> None:
    boxes = export(tmp_path / "out", some_faces(tmp_path / "faces"))
    first = (boxes / "yolo" / "labels" / "train" / "a.txt").read_text().splitlines()
    assert first[1] == "1 0.8125 0.8125 0.375 0.375"
    assert (boxes / "yolo" / "labels" / "val" / "c.txt").read_text() == ""
    content = json.loads((boxes / "coco" / "annotations" / "instances_train.json").read_text())
    assert content["annotations"][1]["bbox"] == [40, 40, 24, 24]
    assert [each["name"] for each in content["categories"]] == ["papule", "nodule", "scar"]
    assert content["images"] == [{"id": 1, "file_name": "a.png", "width": 64, "height": 64}]


def test_ultralytics_finds_the_splits_from_any_working_directory(tmp_path: Path) -> None:
    """Its rule: splits lie below `path`, or else below the card's folder; train and val must be there."""
    for name, splits in (
        ("all", SPLITS),
        ("train", dict.fromkeys(SPLITS, "train")),
        ("test", dict.fromkeys(SPLITS)),
    ):
        faces = some_faces(tmp_path / name / "faces")
        faces = FaceSet(faces.folder, tuple(replace(face, split=splits[face.id]) for face in faces))
        card = export(tmp_path / name / "out", faces) / "yolo" / "data.yaml"
        content = yaml.safe_load(card.read_text())
        assert "path" not in content
        assert {"train", "val"} <= content.keys()
        shown = [card.parent / content[split] for split in ("train", "val", "test") if split in content]
        assert all(any(folder.glob("*.png")) for folder in shown)
        assert content["nc"] == len(content["names"]) == 3


def test_coco_has_the_keys_that_its_readers_need(tmp_path: Path) -> None:
    faces = some_faces(tmp_path / "faces", licence="CC BY 4.0")
    boxes = export(tmp_path / "out", faces)
    content = json.loads((boxes / "coco" / "annotations" / "instances_train.json").read_text())
    assert {"info", "licenses", "images", "annotations", "categories"} == content.keys()
    assert content["licenses"] == [{"id": 1, "name": "CC BY 4.0", "url": ""}]
    assert [each["license"] for each in content["images"]] == [1]
    for each in content["annotations"]:
        assert (each["segmentation"], each["iscrowd"]) == ([], 0)
        assert each["area"] == each["bbox"][2] * each["bbox"][3]


def test_faces_whose_lesions_are_unknown_are_left_out(tmp_path: Path) -> None:
    faces = some_faces(tmp_path / "faces")
    unknown = FaceSet(
        faces.folder, tuple(replace(face, lesions=None) if face.id == "c" else face for face in faces)
    )
    boxes = export(tmp_path / "out", unknown)
    assert not list(boxes.rglob("c.*"))


def test_nobody_is_named(tmp_path: Path) -> None:
    boxes = export(tmp_path / "out", some_faces(tmp_path / "faces", source="/home/ward7/Jane Roe.jpg"))
    texts = [path.read_text() for path in boxes.rglob("*") if path.suffix in (".txt", ".json", ".yaml")]
    assert len(texts) == 7
    assert not any("Jane" in text for text in texts)


def test_faces_without_boxes_are_refused(tmp_path: Path) -> None:
    writer = FaceSetWriter(tmp_path / "bare")
    writer.add(np.zeros((8, 8, 3), np.uint8), Face("a"))
    with pytest.raises(InputError, match="detect-lesions"):
        export(tmp_path / "out", writer.finish())
