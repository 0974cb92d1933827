"""export-boxes: a FaceSet with lesion boxes -> data sets that other detectors are trained from.

boxes/yolo/data.yaml, images/<split>/<id>.png, labels/<split>/<id>.txt
boxes/coco/annotations/instances_<split>.json, <split>/<id>.png

`ingest` reads both again. Faces without a split count as train. Images are hard links where the disk allows.
No person, source or file name is written; but unlike `export` this takes photos of people too, for training
at home.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.files import link_or_copy, write_text
from anonderm.core.records import LESION_KINDS, SPLITS, Face
from anonderm.core.rundir import RunDir
from anonderm.publish.boxes_config import ExportBoxesConfig


def export_boxes(config: ExportBoxesConfig, faces: FaceSet, run: RunDir) -> list[Path]:
    """Write the formats asked for below run.folder/"boxes"; returns their lists of classes and boxes.

    Raises InputError where no face has a box.
    """
    kinds = kinds_of(faces)
    if not kinds:
        raise InputError(
            f"{faces.folder}: no face has lesion boxes.",
            "Ingest photos with boxes, or let `anonderm detect-lesions` find some.",
        )
    sizes = {face.id: _size(faces, face) for face in run.progress(faces.faces, "measuring the faces")}
    written: list[Path] = []
    if "yolo" in config.formats:
        written.append(write_yolo(faces, sizes, kinds, run.folder / "boxes" / "yolo"))
    if "coco" in config.formats:
        written += write_coco(faces, sizes, kinds, run.folder / "boxes" / "coco")
    if any(face.checkpoint is None for face in faces):
        run.log("Caution: these are photos, not synthetic faces; this folder is as private as they are.")
    run.log(f"{len(faces)} faces, {sum(len(face.lesions) for face in faces)} boxes of {', '.join(kinds)}")
    return written


def kinds_of(faces: FaceSet) -> tuple[str, ...]:
    """The kinds of lesion that have a box, in the usual order, others behind."""
    found = {lesion.kind for face in faces for lesion in face.lesions}
    return (*(kind for kind in LESION_KINDS if kind in found), *sorted(found - set(LESION_KINDS)))


def _size(faces: FaceSet, face: Face) -> tuple[int, int]:
    """Width and height."""
    height, width = faces.image(face).shape[:2]
    return width, height


def _split(face: Face) -> str:
    return face.split or "train"


def _file_name(face: Face) -> str:
    return f"{face.id}{Path(face.file).suffix}"


def write_yolo(
    faces: FaceSet, sizes: dict[str, tuple[int, int]], kinds: tuple[str, ...], folder: Path
) -> Path:
    """Lines `class x y width height`: the centre, all in shares of the picture's sides; returns data.yaml."""
    import yaml

    for face in faces:
        width, height = sizes[face.id]
        lines = [
            f"{kinds.index(each.kind)} {(each.x0 + each.x1) / 2 / width:.8g} "
            f"{(each.y0 + each.y1) / 2 / height:.8g} {(each.x1 - each.x0) / width:.8g} "
            f"{(each.y1 - each.y0) / height:.8g}\n"
            for each in face.lesions
        ]
        link_or_copy(faces.folder / face.file, folder / "images" / _split(face) / _file_name(face))
        write_text(folder / "labels" / _split(face) / f"{face.id}.txt", "".join(lines))
    splits = {split: f"images/{split}" for split in SPLITS if any(_split(face) == split for face in faces)}
    card = {"path": ".", **splits, "names": dict(enumerate(kinds))}
    write_text(folder / "data.yaml", yaml.safe_dump(card, sort_keys=False, allow_unicode=True))
    return folder / "data.yaml"


def write_coco(
    faces: FaceSet, sizes: dict[str, tuple[int, int]], kinds: tuple[str, ...], folder: Path
) -> list[Path]:
    """Returns the JSON files, one a split."""
    written = []
    for split in SPLITS:
        some = [face for face in faces if _split(face) == split]
        for face in some:
            link_or_copy(faces.folder / face.file, folder / split / _file_name(face))
        if some:
            written.append(folder / "annotations" / f"instances_{split}.json")
            write_text(written[-1], json.dumps(coco(some, sizes, kinds, _file_name)))
    return written


def coco(
    faces: Iterable[Face],
    sizes: dict[str, tuple[int, int]],
    kinds: tuple[str, ...],
    name: Callable[[Face], str],
) -> dict[str, Any]:
    """The content of a COCO file: boxes as [left, top, width, height] in pixels; `name` gives file names."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for face in faces:
        width, height = sizes[face.id]
        images.append({"id": len(images) + 1, "file_name": name(face), "width": width, "height": height})
        for each in face.lesions:
            box = [each.x0, each.y0, each.x1 - each.x0, each.y1 - each.y0]
            about = {"category_id": kinds.index(each.kind) + 1, "area": box[2] * box[3], "iscrowd": 0}
            annotations.append({"id": len(annotations) + 1, "image_id": len(images), "bbox": box, **about})
    categories = [{"id": number, "name": kind} for number, kind in enumerate(kinds, start=1)]
    return {"images": images, "annotations": annotations, "categories": categories}
