"""COCO: one JSON file of photos, categories and boxes for each split.

train/_annotations.coco.json, train/a.jpg            as Roboflow writes it, the same in valid/ and test/
annotations/instances_train.json, train/a.jpg        as COCO itself is laid out; images/train/a.jpg too
"""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.boxed import from_corner, kinds, numbers
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.roboflow import with_licence
from anonderm.ingest.sources.tree import Tree, read_label_json, read_split, split_of

_PATTERNS = ("*.coco.json", "*/*.coco.json", "annotations/*.json", "instances_*.json")


def fits(source: Path) -> bool:
    return any(next(source.glob(pattern), None) for pattern in _PATTERNS)


def find(config: IngestConfig) -> Found:
    tree = Tree(config.source)
    files = sorted({path for pattern in _PATTERNS for path in config.source.glob(pattern)})
    read = [path.relative_to(config.source).as_posix() for path in files]
    photos: list[Photo] = []
    skipped: list[Skipped] = []
    for file in read:
        photos += photos_in(tree, file, skipped)
    return with_licence(tree, tree.found(photos, skipped, read))


def photos_in(tree: Tree, file: str, skipped: list[Skipped]) -> Iterator[Photo]:
    """The photos of one JSON file with their boxes. Raises InputError."""
    content = read_label_json(tree.files[file])
    names = {row.get("id"): str(row.get("name", "")) for row in rows(content, "categories", tree.files[file])}
    lesions: dict[Any, list[Lesion]] = {}
    images = {row.get("id"): row for row in rows(content, "images", tree.files[file])}
    for row in rows(content, "annotations", tree.files[file]):
        lesion = _lesion(row, names)
        if row.get("image_id") not in images:
            skipped.append(
                Skipped(file, f"box {row.get('id')} is of a photo that is not in the list", "photo missing")
            )
        elif isinstance(lesion, str):
            skipped.append(
                Skipped(str(images[row["image_id"]].get("file_name")), f"{file}: {lesion}", "box unusable")
            )
        else:
            lesions.setdefault(row["image_id"], []).append(lesion)
    for key, row in images.items():
        name = find_image(tree, str(row.get("file_name", "")), posixpath.dirname(file))
        if name is None:
            skipped.append(
                Skipped(file, f"names {row.get('file_name')!r}, which is not there", "photo missing")
            )
        else:
            boxes = tuple(lesions.get(key, ()))
            photo = dataclasses.replace(tree.photo(name), lesions=boxes, boxes_in=told_size(row))
            split = split_of(name) or _split_of_file(file)
            yield dataclasses.replace(photo, lesion_types=kinds(boxes), split=split)


def _lesion(row: dict[str, Any], names: dict[Any, str]) -> Lesion | str:
    """The box of an annotation, or what is wrong with it."""
    box = row.get("bbox")
    values = numbers(box) if isinstance(box, list) and len(box) == 4 else None
    if values is None:
        return f"box {row.get('id')} is not [left, top, width, height]: {str(box)[:80]}"
    if not names.get(row.get("category_id")):
        return f"box {row.get('id')} is of category {row.get('category_id')}, which is not in the list"
    return from_corner(names[row["category_id"]], *values)


def rows(content: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    """The list under `key`. Raises InputError unless it is one of objects whose ids can be looked up."""
    found = content.get(key)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InputError(f"{path}: no list of {key}.", "Get the label file again.")
    if any(
        isinstance(row.get(each), list | dict) for row in found for each in ("id", "image_id", "category_id")
    ):
        raise InputError(
            f"{path}: an id in {key} is neither a number nor a word.", "Get the label file again."
        )
    return found


def find_image(tree: Tree, said: str, below: str) -> str | None:
    """The file called so beside the JSON file, below the source, or anywhere if only one has that name."""
    found = tree.find(said, below) or tree.find(said)
    if found is not None or not said:
        return found
    alike = tree.named(posixpath.basename(said.replace("\\", "/")))
    return alike[0] if len(alike) == 1 and ".." not in said else None


def told_size(row: dict[str, Any]) -> tuple[float, float] | None:
    """The (width, height) that an entry of `images` states."""
    size = numbers([row.get("width"), row.get("height")])
    return (size[0], size[1]) if size is not None and min(size) > 0 else None


def _split_of_file(file: str) -> str | None:
    """instances_val.json, instances_train2017.json"""
    words = posixpath.basename(file).removesuffix(".json").replace("-", "_").split("_")
    found = (read_split(word.rstrip("0123456789")) for word in words)
    return next((split for split in found if split), None)
