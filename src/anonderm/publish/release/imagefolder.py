"""Hugging Face's imagefolder.

train/<class>/face-00000.png    every face
train/metadata.csv              a row a face; the loader joins both
coco/instances_train.json       optional: the lesion boxes of those files
"""

import json
from collections.abc import Iterator
from pathlib import Path

from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.files import csv_text, link_or_copy, write_text
from anonderm.core.images import image_size
from anonderm.core.records import Face
from anonderm.models.lesion_detector.kinds import kinds_of, with_known_boxes
from anonderm.publish.export_boxes import coco
from anonderm.publish.release.pictures import Pictures
from anonderm.publish.release.rows import columns_of, row_of


def file_of(face: Face) -> Path:
    """The path of the face in the release."""
    return Path("train") / str(face.label) / f"{face.id}.png"


def write_imagefolder(pictures: Pictures, release: Path) -> Iterator[int]:
    """Write the missing pictures, then the table; yields the number of faces after each step."""
    for face in pictures.faces:
        path = release / file_of(face)
        if not path.exists():
            link_or_copy(pictures.path(face), path)
        yield 1
    write_text(release / "train" / "metadata.csv", _metadata(pictures.faces))


def _metadata(faces: FaceSet) -> str:
    """CSV of the label and origin of each face; empty columns are left out."""
    columns = columns_of(faces)
    rows = (
        {"file_name": file_of(face).relative_to("train").as_posix()}
        | {name: value for name, value in row_of(face).items() if name in columns}
        for face in faces
    )
    return csv_text(("file_name", *columns), rows)


def refuse_without_boxes(faces: FaceSet) -> None:
    """Raise InputError if no face has a lesion box."""
    if not kinds_of(faces):
        raise InputError(
            f"{faces.folder}: no face has lesion boxes to write as COCO.",
            "Leave coco out of formats, or run `anonderm detect-lesions` first.",
        )


def write_coco(faces: FaceSet, release: Path) -> None:
    """One JSON file of the faces whose boxes are known; its file names are relative to the release."""
    faces = with_known_boxes(faces, class_agnostic=False)
    sizes = {face.id: image_size(faces.folder / face.file) for face in faces}
    content = coco(faces.faces, sizes, kinds_of(faces), lambda face: file_of(face).as_posix())
    write_text(release / "coco" / "instances_train.json", json.dumps(content, ensure_ascii=False))
