"""Data sets as Hugging Face's `datasets` loads them: imagefolder, or Parquet files with the images inside.

train/severe/a.jpg                      one folder per split, in it one folder per class
train/metadata.csv, train/a.jpg         or a table with the column file_name: metadata.csv, .jsonl or .parquet
data/train-00000-of-00001.parquet       or tables with an image column, {bytes, path}

`objects` with `bbox` ([left, top, width, height] in pixels) and `categories` (or `category`) gives boxes.
"""

import dataclasses
import functools
import io
import json
import posixpath
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError, MissingPath, UnreadableImage
from anonderm.core.images import is_image_name
from anonderm.core.names import is_hidden
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo, stamp
from anonderm.ingest.sources.reading import (
    Table,
    cell_text,
    lesion_types,
    numbers,
    read_split,
    read_table,
    split_of,
)
from anonderm.ingest.sources.table import choose_columns, photos_of, with_facts

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_SHARD = re.compile(r"(?P<split>[A-Za-z]+)(-\d+-of-\d+.*)?\.parquet")
_LOCK = threading.Lock()  # neighbouring cells lie in one row group, which is read once


def fits(source: Path) -> bool:
    if not source.is_dir():
        return False
    tables = any(
        next(source.glob(f"{below}{name}"), None) for name in _METADATA for below in ("", "*/", "*/*/")
    )
    shards = any(source.glob("*-of-*.parquet")) or any(source.glob("*/*-of-*.parquet"))
    folders = [entry.name for entry in source.iterdir() if entry.is_dir() and not is_hidden(entry.name)]
    splits = bool(folders) and all(read_split(name) for name in folders)
    return tables or shards or (splits and any(entry.is_dir() for entry in source.glob("*/*")))


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    metadata = [name for name in listing.files if posixpath.basename(name) in _METADATA]
    shards = [name for name in listing.files if name.endswith(".parquet") and name not in metadata]
    if metadata:
        listing.photos = [photo for name in metadata for photo in _in_metadata(listing, name, config)]
        return listing.found(metadata)
    if shards:
        found = [photo for name in shards for photo in _in_shard(listing, name, config)]
        return Found(tuple(found), tuple(listing.skipped), listing.found(shards).ignored)
    listing.photos = [_in_class_folder(listing, name) for name in listing.images]
    return listing.found()


def _in_class_folder(listing: Listing, name: str) -> Photo:
    """train/severe/a.jpg, or severe/a.jpg"""
    folders = posixpath.dirname(name).split("/")
    below = folders[1:] if read_split(folders[0]) else folders
    label = below[0] if below and below[0] else None
    return dataclasses.replace(listing.photo(name), label=label, split=split_of(name))


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
    """The rows of a Parquet file that contains the images. Raises InputError."""
    import pyarrow.lib
    import pyarrow.parquet as parquet

    path = listing.files[file]
    try:
        opened = parquet.ParquetFile(path)
    except (pyarrow.lib.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a Parquet file ({error}).", "Download or export it again.") from error
    schema = opened.schema_arrow
    image = config.chosen_columns.get("file") or _image_column(schema, path)
    table = Table(tuple(name for name in schema.names if name != image), ())
    columns = choose_columns(table, {k: v for k, v in config.chosen_columns.items() if k != "file"}, path)
    columns.pop("file", None)
    class_names = _class_names(schema.metadata, columns.get("label", ""))
    match = _SHARD.fullmatch(posixpath.basename(file))
    split = (read_split(match["split"]) if match else None) or split_of(file)
    for group in range(opened.num_row_groups):
        read = [*table.columns, f"{image}.path"]
        for row, values in enumerate(opened.read_row_group(group, columns=read).to_pylist()):
            cell = Cell(path, image, group, row, str((values.get(image) or {}).get("path") or ""))
            name = posixpath.join(file, f"{group}-{row}", cell.file_name).rstrip("/")
            facts = {what: cell_text(values.get(column)) for what, column in columns.items()}
            if "label" in columns:
                label = values.get(columns["label"])
                facts["label"] = _class_of(label, class_names)
                if not facts["label"]:
                    listing.skip(name, f"its label {label!r} is none of the classes", "label unknown")
                    continue
            yield _with_objects(listing, with_facts(Photo(name, cell, split=split), facts), values)


def _image_column(schema: Any, path: Path) -> str:
    structs = [
        field.name
        for field in schema
        if {"bytes", "path"} <= {field.type.field(index).name for index in range(field.type.num_fields)}
    ]
    if not structs:
        raise InputError(
            f"{path}: no column of images, {{bytes, path}}.",
            "If the table names image files, give the table itself: --source TABLE.parquet.",
        )
    return structs[0]


def _class_names(metadata: dict[bytes, bytes] | None, column: str) -> list[str] | None:
    """The names of a ClassLabel column, which `datasets` stores in the schema."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        names = features[column]["names"]
    except (KeyError, TypeError, ValueError):
        return None
    return [str(name) for name in names]


def _class_of(value: Any, names: list[str] | None) -> str:
    """The label as text; "" for none, and for a number that is not that of a class."""
    if names is None or isinstance(value, str):
        return cell_text(value)
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else ""


def _with_objects(listing: Listing, photo: Photo, row: Mapping[str, Any]) -> Photo:
    """The photo with the boxes of the column `objects`, if there is one."""
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
    for index, each in enumerate(boxes):
        box = numbers(each, 4)
        if box is None or not isinstance(names, list) or index >= len(names):
            listing.skip(photo.name, f"object {index} has no box, or no category", "box unusable")
        else:
            lesions.append(Lesion.from_corner(str(names[index]), *box))
    return dataclasses.replace(photo, lesions=tuple(lesions), lesion_types=lesion_types(lesions))


@dataclass(frozen=True, slots=True)
class Cell:
    """The bytes in one cell of an image column, a struct of `bytes` and `path`."""

    table: Path
    column: str
    group: int
    row: int
    path: str

    def read(self) -> bytes:
        with _LOCK:
            group = _row_group(self.table, stamp(self.table), self.column, self.group)
        if self.row >= len(group):
            raise MissingPath("no longer in the table.")
        value = group[self.row].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes):
            raise UnreadableImage("no image in this cell.")
        return data

    @property
    def stamp(self) -> str:
        return f"{stamp(self.table)} {self.column} {self.group} {self.row}"

    @property
    def file_name(self) -> str:
        return posixpath.basename(self.path.replace("\\", "/"))

    @property
    def suffix(self) -> str:
        """The suffix of the cell's path, or that of the image's format."""
        return posixpath.splitext(self.path)[1].lower() if is_image_name(self.path) else _suffix(self.read())


def _suffix(data: bytes) -> str:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            return f".{(image.format or 'png').lower()}"
    except (UnidentifiedImageError, OSError):
        return ".png"


@functools.lru_cache(maxsize=2)
def _row_group(table: Path, _state: str, column: str, group: int) -> Any:
    """One column of a row group; `_state` changes with the file."""
    import pyarrow.lib
    import pyarrow.parquet as parquet

    try:
        return parquet.ParquetFile(table).read_row_group(group, columns=[column])[column]
    except FileNotFoundError as error:
        raise MissingPath("no such file.") from error
    except (pyarrow.lib.ArrowException, OSError) as error:
        raise UnreadableImage(f"the table cannot be read ({error}).") from error
