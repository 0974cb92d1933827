"""Data sets as Hugging Face's `datasets` loads them: imagefolder, or Parquet files with the images inside.

train/metadata.csv, train/a.jpg         a table with the column file_name: metadata.csv, .jsonl or .parquet
data/train-00000-of-00001.parquet       tables with an image column; also default/train/0000.parquet
train/data-00000-of-00001.arrow         what `save_to_disk` writes

`objects` gives boxes: `bbox` ([left, top, width, height] in pixels) and `categories` (or `category`), as two
lists or as a list of objects.
"""

import dataclasses
import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from anonderm.core.errors import InputError
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.arrow_tables import Shard
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import (
    Table,
    cell_text,
    number,
    numbers,
    read_split,
    read_table,
    split_of,
)
from anonderm.ingest.sources.table import choose_columns, photos_of, with_facts

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_SHARD = re.compile(r"(?P<split>[A-Za-z]+)(-\d+-of-\d+.*)?\.parquet")


def fits(listing: Listing) -> bool:
    return any(map(listing.named, _METADATA)) or bool(_shards(listing))


def _shards(listing: Listing) -> list[str]:
    """The tables that contain pictures, or cannot be read."""
    names = [
        name
        for name in listing.with_suffix(".parquet", ".arrow")
        if posixpath.basename(name) not in _METADATA
    ]
    return [name for name in names if not listing.images or _holds_pictures(Shard(listing.files[name]))]


def _holds_pictures(shard: Shard) -> bool:
    try:
        return shard.image_column is not None
    except InputError:
        return True  # reading it names the problem


def find(config: IngestConfig) -> Found:
    """Raises InputError."""
    listing = Listing(config.source)
    metadata = [name for each in _METADATA for name in listing.named(each)]
    if metadata:
        listing.photos = [photo for name in metadata for photo in _in_metadata(listing, name, config)]
        return listing.found(metadata)
    shards = _shards(listing)
    _check_one_configuration(listing, shards)
    found = [photo for name in shards for photo in _in_shard(listing, name, config)]
    return Found(tuple(found), tuple(listing.skipped), listing.found(shards, complete=False).ignored)


def _check_one_configuration(listing: Listing, shards: list[str]) -> None:
    """CONFIGURATION/SPLIT/0000.parquet: several configurations usually hold the same photos."""
    above = {name.split("/")[0] for name in shards if name.count("/") == 2 and read_split(name.split("/")[1])}
    if len(above) > 1:
        raise InputError(
            f"{listing.root}: several configurations of a data set: {', '.join(sorted(above))}.",
            f"Give one of them: --source {listing.root / min(above)}",
        )


def _in_metadata(listing: Listing, file: str, config: IngestConfig) -> Iterator[Photo]:
    path = listing.files[file]
    table = read_table(path)
    chosen = {"file": "file_name"} if "file_name" in table.columns else {}
    columns = choose_columns(table, chosen | config.chosen_columns, path)
    if "file" not in columns:
        raise InputError(f"{path}: no column file_name.", "Name it: --columns file=... (or --layout).")
    folder = posixpath.dirname(file)
    rows = {listing.find(str(row.get(columns["file"])), folder): row for _, row in reversed(table.rows)}
    for photo in photos_of(listing, table, columns, folder, file):
        split = photo.split or split_of(photo.name)
        yield _with_objects(listing, dataclasses.replace(photo, split=split), rows[photo.name])


def _in_shard(listing: Listing, file: str, config: IngestConfig) -> Iterator[Photo]:
    """The rows of a table that contains the images. Raises InputError."""
    path = listing.files[file]
    shard = Shard(path)
    image = config.chosen_columns.get("file") or shard.image_column
    if image is None or image not in shard.schema.names:
        raise InputError(
            f"{path}: no column of images{f' {image!r}' if image else ''}.",
            "If the table names image files, give the table itself: --source TABLE.parquet.",
        )
    table = Table(tuple(name for name in shard.schema.names if name != image), ())
    columns = choose_columns(table, {k: v for k, v in config.chosen_columns.items() if k != "file"}, path)
    columns.pop("file", None)
    match = _SHARD.fullmatch(posixpath.basename(file))
    split = (read_split(match["split"]) if match else None) or split_of(file)
    features = shard.features
    for cell, stored in shard.rows(image):
        values = {name: _named(value, features.get(name)) for name, value in stored.items()}
        name = posixpath.join(file, f"{cell.group}-{cell.row}", cell.file_name).rstrip("/")
        facts = {what: cell_text(values.get(column)) for what, column in columns.items()}
        if "label" in columns and not facts["label"]:
            stated = stored.get(columns["label"])
            listing.skip(name, f"its label {stated!r} is none of the classes", "label unknown")
            continue
        yield _with_objects(listing, with_facts(Photo(name, cell, split=split), facts), values)


def _named(value: Any, feature: Any) -> Any:
    """The value with the names of classes in place of their numbers, at any depth; None for unknown ones."""
    if isinstance(feature, list) and len(feature) == 1:
        feature = {"feature": feature[0]}
    if not isinstance(feature, dict):
        return value
    if feature.get("_type") == "ClassLabel" and isinstance(feature.get("names"), list):
        return _class_of(value, feature["names"])
    inner = feature.get("feature")
    if inner is None:
        fields = feature if isinstance(value, dict) else {}
        return {name: _named(each, fields.get(name)) for name, each in value.items()} if fields else value
    if isinstance(value, dict) and isinstance(
        inner, dict
    ):  # a sequence of objects, stored as an object of lists
        return {name: _named(each, {"feature": inner.get(name)}) for name, each in value.items()}
    return [_named(each, inner) for each in value] if isinstance(value, list) else value


def _class_of(value: Any, names: list[Any]) -> Any:
    """The name of a class, for its number in any form, or for the name itself."""
    if isinstance(value, str) and value in names:
        return value
    index = number(value)
    return str(names[int(index)]) if index is not None and index in range(len(names)) else None


def _with_objects(listing: Listing, photo: Photo, row: Mapping[str, Any]) -> Photo:
    """The photo with the boxes of the column `objects`, if there is one."""
    objects = row.get("objects")
    if isinstance(objects, str):
        try:
            objects = json.loads(objects)
        except (ValueError, RecursionError):
            objects = None
    pairs = _boxes_and_names(objects)
    if pairs is None:
        return photo
    lesions: list[Lesion] | None = []
    for index, (box, name) in enumerate(pairs):
        sides = numbers(box, 4)
        if sides is None or name is None:
            listing.skip(photo.name, f"object {index} has no box, or no category", "box unusable")
            lesions = None
        elif lesions is not None:
            lesions.append(Lesion.from_corner(cell_text(name), *sides))
    return photo.with_boxes(lesions)


def _boxes_and_names(objects: Any) -> list[tuple[Any, Any]] | None:
    """The boxes and their categories, of two lists or of a list of objects; None for anything else."""
    keys = ("categories", "category", "labels", "label")
    if isinstance(objects, list) and all(isinstance(each, dict) for each in objects):
        return [
            (each.get("bbox"), next((each[key] for key in keys if key in each), None)) for each in objects
        ]
    if not isinstance(objects, dict) or not isinstance(boxes := objects.get("bbox"), list):
        return None
    names: list[Any] = next((objects[key] for key in keys if isinstance(objects.get(key), list)), [])
    return [(box, names[index] if index < len(names) else None) for index, box in enumerate(boxes)]
