"""Acne04-v2: new boxes for a part of the photos of ACNE04, as circles in one JSON file beside them.

Acne04-v2_annotations.json    "images": id, file_name, width, height;
                              "annotations": image_id, coordinates [x, y] of the centre, radius, class_name
levle0_2.jpg                  the photos of ACNE04, in whatever folder below; their names tell the severity
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from pathlib import Path
from typing import Any

from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.acne04 import LEVELS, LICENCE
from anonderm.ingest.sources.boxed import from_centre, kinds, numbers
from anonderm.ingest.sources.coco import find_image, rows, told_size
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.tree import Tree, read_label_json

_FILES = re.compile(r".*acne04-?v2.*\.json", re.IGNORECASE)
_LEVEL = re.compile(r"levle([0-3])_\d+\.\w+")


def fits(source: Path) -> bool:
    return source.is_dir() and any(_FILES.fullmatch(path.name) for path in source.iterdir())


def find(config: IngestConfig) -> Found:
    tree = Tree(config.source)
    photos: list[Photo] = []
    skipped: list[Skipped] = []
    read = [name for name in tree.files if _FILES.fullmatch(name)]
    for file in read:
        content = read_label_json(tree.files[file])
        images = {row.get("id"): row for row in rows(content, "images", tree.files[file])}
        lesions: dict[Any, list[Lesion]] = {}
        for row in rows(content, "annotations", tree.files[file]):
            lesion = _lesion(row)
            if lesion is None or row.get("image_id") not in images:
                skipped.append(
                    Skipped(file, f"annotation {row.get('id')} has no circle or no photo", "box unusable")
                )
            else:
                lesions.setdefault(row["image_id"], []).append(lesion)
        for key, row in images.items():
            photo = _photo(tree, row, tuple(lesions.get(key, ())))
            if photo is None:
                skipped.append(
                    Skipped(file, f"names {row.get('file_name')!r}, which is not there", "photo missing")
                )
            else:
                photos.append(photo)
    return tree.found(photos, skipped, read, complete=False)  # the set is a part of ACNE04


def _lesion(row: dict[str, Any]) -> Lesion | None:
    """The box around a circle."""
    centre = row.get("coordinates")
    values = numbers([*centre, row.get("radius")]) if isinstance(centre, list) and len(centre) == 2 else None
    if values is None or values[2] <= 0:
        return None
    x, y, radius = values
    return from_centre(str(row.get("class_name", "acne")), x, y, 2 * radius, 2 * radius)


def _photo(tree: Tree, row: dict[str, Any], lesions: tuple[Lesion, ...]) -> Photo | None:
    name = find_image(tree, str(row.get("file_name", "")), "")
    if name is None:
        return None
    level = _LEVEL.fullmatch(posixpath.basename(name))
    return dataclasses.replace(
        tree.photo(name),
        label=LEVELS[int(level[1])] if level else None,
        lesions=lesions,
        lesion_types=kinds(lesions),
        boxes_in=told_size(row),
        licence=LICENCE,
    )
