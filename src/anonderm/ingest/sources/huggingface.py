"""Data sets as Hugging Face's `datasets` loads them: imagefolder, or Parquet with the images inside.

train/severe/a.jpg                      a folder a split, below it a folder a class
train/metadata.csv, train/a.jpg         or a table with the column file_name: metadata.csv, .jsonl or .parquet
data/train-00000-of-00001.parquet       or tables with an image column, {bytes, path}

`objects` with `bbox` ([left, top, width, height] in pixels) and `categories` (or `category`) gives boxes.
"""

from __future__ import annotations

import dataclasses
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.boxed import from_corner, kinds, numbers
from anonderm.ingest.sources.parquet_images import Cell
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.table import Rows, choose_columns, photos_of, read_rows, with_facts, word
from anonderm.ingest.sources.tree import Tree, read_split, split_of

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_SHARD = re.compile(r"(?P<split>[A-Za-z]+)(-\d+-of-\d+.*)?\.parquet")


def fits(source: Path) -> bool:
    if not source.is_dir():
        return False
    tables = any(
        next(source.glob(f"{below}{name}"), None) for name in _METADATA for below in ("", "*/", "*/*/")
    )
    shards = any(source.glob("*-of-*.parquet")) or any(source.glob("*/*-of-*.parquet"))
    folders = [entry.name for entry in source.iterdir() if entry.is_dir() and not entry.name.startswith(".")]
    splits = bool(folders) and all(read_split(name) for name in folders)
    return tables or shards or (splits and any(entry.is_dir() for entry in source.glob("*/*")))


def find(config: IngestConfig) -> Found:
    tree = Tree(config.source)
    skipped: list[Skipped] = []
    metadata = [name for name in tree.files if posixpath.basename(name) in _METADATA]
    shards = [name for name in tree.files if name.endswith(".parquet") and name not in metadata]
    if metadata:
        photos = [photo for name in metadata for photo in _in_metadata(tree, name, config, skipped)]
        return tree.found(photos, skipped, metadata)
    if shards:
        found = [photo for name in shards for photo in _in_shard(tree, name, config, skipped)]
        return Found(tuple(found), tuple(skipped), tree.found((), (), shards).ignored)
    return tree.found([_in_class_folder(tree, name) for name in tree.images], ())


def _in_class_folder(tree: Tree, name: str) -> Photo:
    """train/severe/a.jpg, or severe/a.jpg"""
    folders = posixpath.dirname(name).split("/")
    below = folders[1:] if read_split(folders[0]) else folders
    label = below[0] if below and below[0] else None
    return dataclasses.replace(tree.photo(name), label=label, split=split_of(name))


def _in_metadata(tree: Tree, file: str, config: IngestConfig, skipped: list[Skipped]) -> Iterator[Photo]:
    table = read_rows(tree.files[file])
    chosen = {"file": "file_name"} if "file_name" in table.columns else {}
    columns = choose_columns(table, chosen | config.chosen_columns, tree.files[file])
    if "file" not in columns:
        raise InputError(
            f"{tree.files[file]}: no column file_name.", "Name it: --columns file=... (or --layout)."
        )
    below = posixpath.dirname(file)
    rows = {tree.find(str(row.get(columns["file"])), below): row for _, row in reversed(table.rows)}
    for photo in photos_of(tree, table, columns, below, file, skipped):
        split = photo.split or split_of(photo.name)
        yield _with_objects(dataclasses.replace(photo, split=split), rows[photo.name], skipped)


def _in_shard(tree: Tree, file: str, config: IngestConfig, skipped: list[Skipped]) -> Iterator[Photo]:
    """The rows of a Parquet file whose images lie inside it. Raises InputError."""
    import pyarrow.lib
    import pyarrow.parquet as parquet

    path = tree.files[file]
    try:
        opened = parquet.ParquetFile(path)
    except (pyarrow.lib.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a Parquet file ({error}).", "Get it again.") from error
    schema = opened.schema_arrow
    image = config.chosen_columns.get("file") or _image_column(schema, path)
    table = Rows(tuple(name for name in schema.names if name != image), ())
    columns = choose_columns(table, {k: v for k, v in config.chosen_columns.items() if k != "file"}, path)
    class_names = _class_names(schema.metadata, columns.get("label", ""))
    split = _split_of_shard(file)
    for group in range(opened.num_row_groups):
        read = [*table.columns, f"{image}.path"]
        for row, values in enumerate(opened.read_row_group(group, columns=read).to_pylist()):
            said = str((values.get(image) or {}).get("path") or "")
            name = posixpath.join(file, f"{group}-{row}", posixpath.basename(said.replace("\\", "/")))
            place = Cell(path, image, group, row, said)
            told = {what: word(values.get(column)) for what, column in columns.items() if what != "file"}
            if "label" in columns:
                told["label"] = _class_of(values.get(columns["label"]), class_names)
                if not told["label"]:
                    label = values.get(columns["label"])
                    skipped.append(
                        Skipped(name, f"its label {label!r} is none of the classes", "label unknown")
                    )
                    continue
            photo = with_facts(Photo(name.rstrip("/"), place, split=split), told)
            yield _with_objects(photo, values, skipped)


def _image_column(schema: Any, path: Path) -> str:
    structs = [field.name for field in schema if {"bytes", "path"} <= _fields_of(field.type)]
    if not structs:
        raise InputError(
            f"{path}: no column of images, {{bytes, path}}.",
            "A table that names files is given itself: --source TABLE.parquet.",
        )
    return structs[0]


def _fields_of(kind: Any) -> set[str]:
    return {kind.field(index).name for index in range(kind.num_fields)}


def _class_names(metadata: dict[bytes, bytes] | None, column: str) -> list[str] | None:
    """The names of a ClassLabel column, which `datasets` keeps in the schema."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        names = features[column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


def _class_of(value: Any, names: list[str] | None) -> str:
    """The label in words; empty for none, and for a number that is not of a class."""
    if names is None or isinstance(value, str):
        return word(value)
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else ""


def _split_of_shard(file: str) -> str | None:
    match = _SHARD.fullmatch(posixpath.basename(file))
    return (read_split(match["split"]) if match else None) or split_of(file)


def _with_objects(photo: Photo, row: Mapping[str, Any], skipped: list[Skipped]) -> Photo:
    """The boxes of the column `objects`, where there is one."""
    objects = row.get("objects")
    if isinstance(objects, str):
        try:
            objects = json.loads(objects)
        except ValueError:
            objects = None
    if not isinstance(objects, dict) or not isinstance(boxes := objects.get("bbox"), list):
        return photo
    names = objects.get("categories") or objects.get("category") or []
    lesions: list[Lesion] = []
    for index, box in enumerate(boxes):
        values = numbers(box) if isinstance(box, list) and len(box) == 4 else None
        if values is None or not isinstance(names, list) or index >= len(names):
            skipped.append(Skipped(photo.name, f"object {index} has no box, or no category", "box unusable"))
        else:
            lesions.append(from_corner(str(names[index]), *values))
    return dataclasses.replace(photo, lesions=tuple(lesions), lesion_types=kinds(lesions))
