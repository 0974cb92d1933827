"""export-boxes: a FaceSet with lesion boxes -> data sets for training other lesion detectors.

boxes/yolo/data.yaml, images/<split>/<id>.png, labels/<split>/<id>.txt
boxes/coco/annotations/instances_<split>.json, <split>/<id>.png

`ingest` reads both. Faces without a split go to train. Images are hard links where the file system allows.
Faces whose boxes are unknown are left out: an empty label would call them free of lesions.
No person, source or file name is written. Unlike `export`, this command also accepts photos of real people,
for training on one's own machine.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from anonderm.core.config import check
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.files import link_or_copy, write_text
from anonderm.core.images import image_size
from anonderm.core.records import SPLITS, Face
from anonderm.core.rundir import RunDir
from anonderm.models.lesion_detector.kinds import kinds_of, with_known_boxes

Sizes = Mapping[str, tuple[int, int]]
"""Width and height of each face, by id."""
BySplit = Mapping[str, Sequence[Face]]


@dataclass(frozen=True)
class ExportBoxesConfig:
    """Write faces with lesion boxes in the formats that other detectors are trained from."""

    formats: tuple[Literal["yolo", "coco"], ...] = ("yolo", "coco")
    """yolo: one text file per face and data.yaml; coco: one JSON file per split."""

    def __post_init__(self) -> None:
        check(len(self.formats) > 0, "formats is empty.", "Choose from: yolo, coco.")
        check(
            len(set(self.formats)) == len(self.formats),
            f"formats = {self.formats}: named twice.",
            "Name each format once.",
        )


def export_boxes(config: ExportBoxesConfig, faces: FaceSet, run: RunDir) -> list[Path]:
    """Write the chosen formats below run.folder/"boxes"; return their label files.

    Raises InputError where no face has a box.
    """
    everything, faces = faces, with_known_boxes(faces, class_agnostic=False)
    kinds = kinds_of(faces)
    if not kinds:
        raise InputError(
            f"{faces.folder}: no face has lesion boxes.",
            "Ingest photos with boxes, or detect lesions with `anonderm detect-lesions`.",
        )
    progress = run.progress(faces.faces, "measuring faces")
    sizes = {face.id: image_size(faces.folder / face.file) for face in progress}
    splits = {split: [face for face in faces if (face.split or "train") == split] for split in SPLITS}
    by_split = {split: group for split, group in splits.items() if group}
    written: list[Path] = []
    if "yolo" in config.formats:
        written.append(_write_yolo(faces, by_split, sizes, kinds, run.folder / "boxes" / "yolo"))
    if "coco" in config.formats:
        written += _write_coco(faces, by_split, sizes, kinds, run.folder / "boxes" / "coco")
    if "yolo" in config.formats and (missing := [each for each in ("train", "val") if each not in by_split]):
        run.log(
            f"warning: no face is in {' or '.join(missing)}; data.yaml needs both, and names another split"
        )
    if any(face.checkpoint is None for face in faces):
        run.log("Caution: these are photos, not synthetic faces; protect this folder as you protect them.")
    if len(faces) < len(everything):
        run.log(f"{len(everything) - len(faces)} faces whose lesions are unknown are left out")
    run.log(f"{len(faces)} faces, {sum(len(face.boxes) for face in faces)} boxes of {', '.join(kinds)}")
    return written


def _file_name(face: Face) -> str:
    return f"{face.id}{Path(face.file).suffix}"


def _write_yolo(faces: FaceSet, by_split: BySplit, sizes: Sizes, kinds: Sequence[str], folder: Path) -> Path:
    """Lines `class x y width height`, centre and size as shares of the image; returns data.yaml."""
    import yaml

    for split, face in ((split, face) for split, group in by_split.items() for face in group):
        width, height = sizes[face.id]
        lines = [
            f"{kinds.index(each.kind)} {each.centre[0] / width:.8g} {each.centre[1] / height:.8g} "
            f"{each.width / width:.8g} {each.height / height:.8g}\n"
            for each in face.boxes
        ]
        link_or_copy(faces.folder / face.file, folder / "images" / split / _file_name(face))
        write_text(folder / "labels" / split / f"{face.id}.txt", "".join(lines))
    # Without `path`, Ultralytics takes splits from the card's folder; with `path: .`, from the working one.
    # It refuses a card without train or val; as in its own small examples, another split stands for these.
    others = {split: min(by_split, key=SPLITS.index) for split in ("train", "val") if split not in by_split}
    shown = {split: others.get(split, split) for split in SPLITS if split in by_split or split in others}
    card = {
        **{split: f"images/{folder}" for split, folder in shown.items()},
        "nc": len(kinds),
        "names": dict(enumerate(kinds)),
    }
    write_text(folder / "data.yaml", yaml.safe_dump(card, sort_keys=False, allow_unicode=True))
    return folder / "data.yaml"


def _write_coco(
    faces: FaceSet, by_split: BySplit, sizes: Sizes, kinds: Sequence[str], folder: Path
) -> list[Path]:
    """Returns the JSON files, one per split."""
    written = []
    for split, group in by_split.items():
        for face in group:
            link_or_copy(faces.folder / face.file, folder / split / _file_name(face))
        written.append(folder / "annotations" / f"instances_{split}.json")
        write_text(written[-1], json.dumps(coco(group, sizes, kinds, _file_name)))
    return written


def coco(
    faces: Iterable[Face], sizes: Sizes, kinds: Sequence[str], name: Callable[[Face], str]
) -> dict[str, Any]:
    """The content of a COCO file: boxes as [left, top, width, height] in pixels; `name` gives file names."""
    faces = list(faces)
    licences = {
        name: number for number, name in enumerate(sorted({face.licence for face in faces} - {""}), start=1)
    }
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for face in faces:
        width, height = sizes[face.id]
        images.append(
            {"id": len(images) + 1, "file_name": name(face), "width": width, "height": height}
            | ({"license": licences[face.licence]} if face.licence else {})
        )
        for each in face.boxes:
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": len(images),
                    "category_id": kinds.index(each.kind) + 1,
                    "bbox": [each.x0, each.y0, each.width, each.height],
                    "area": each.width * each.height,
                    "segmentation": [],  # outlines are unknown; many readers need the key
                    "iscrowd": 0,
                }
            )
    return {
        "info": {"description": "Faces with boxes of lesions, written by anonderm", "version": "1.0"},
        "licenses": [{"id": number, "name": name, "url": ""} for name, number in licences.items()],
        "images": images,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": kind, "supercategory": "lesion"}
            for number, kind in enumerate(kinds, start=1)
        ],
    }
