"""Data sets as Hugging Face's `datasets` loads them: imagefolder, or tables with the images inside.

train/metadata.csv, train/a.jpg         a table with the column file_name: metadata.csv, .jsonl or .parquet
data/train-00000-of-00001.parquet       tables with an image column; also default/train/0000.parquet
train/data-00000-of-00001.arrow         what `save_to_disk` writes

`objects` gives boxes (object_columns.py). Classes have the names that the table's schema states or,
without any there, README.md.
"""

import dataclasses
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from anonderm.core.errors import ConfigError, InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.arrow_tables import Cell, Shard
from anonderm.ingest.sources.box_table import refuse_unread_boxes
from anonderm.ingest.sources.features import Features, is_class, named_row
from anonderm.ingest.sources.hub_card import read_card
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import read_json_object, read_split, split_of, split_of_file
from anonderm.ingest.sources.table import choose_columns, photos_of, with_row
from anonderm.ingest.sources.table_files import Table, head_columns, read_table

_METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_SHARDS = (".parquet", ".arrow")


def fits(listing: Listing) -> bool:
    return any(map(listing.named, _METADATA)) or bool(_shards(listing))


def fits_file(source: Path) -> bool:
    """A single table that contains pictures."""
    return source.is_file() and source.suffix.lower() in _SHARDS and _holds_pictures(Shard(source))


def _shards(listing: Listing) -> list[str]:
    """The tables that contain pictures, or cannot be read; without those that `datasets` keeps as a cache."""
    names = [
        name
        for name in listing.with_suffix(*_SHARDS)
        if posixpath.basename(name).lower() not in _METADATA and not _is_cache(listing, name)
    ]
    return [name for name in names if not listing.images or _holds_pictures(Shard(listing.files[name]))]


def _is_cache(listing: Listing, name: str) -> bool:
    """Whether a folder of `save_to_disk` does not count this file as its data."""
    state = listing.files.get(posixpath.join(posixpath.dirname(name), "state.json"))
    if state is None:
        return False
    files = read_json_object(state).get("_data_files")
    known = (
        [each.get("filename") for each in files if isinstance(each, dict)] if isinstance(files, list) else []
    )
    return bool(known) and posixpath.basename(name) not in known


def _holds_pictures(shard: Shard) -> bool:
    try:
        return shard.image_column is not None
    except InputError:
        return True  # reading it names the problem


def find(config: IngestConfig) -> Found:
    """Raises InputError."""
    source = config.source
    listing = Listing(source.absolute().parent if source.is_file() else source)
    card = read_card(listing)
    if not source.is_file() and (metadata := metadata_files(listing)):
        photos = [photo for name in metadata for photo in _in_metadata(listing, name, config)]
        listing.photos = [dataclasses.replace(each, licence=each.licence or card.licence) for each in photos]
        return listing.found(metadata)
    shards = [source.name] if source.is_file() else _shards(listing)
    _check_one_configuration(listing, shards)
    photos = [photo for name in shards for photo in _in_shard(listing, name, card.features, config)]
    photos = [dataclasses.replace(each, licence=each.licence or card.licence) for each in photos]
    return Found(tuple(photos), tuple(listing.skipped), listing.found(shards, complete=False).others)


def metadata_files(listing: Listing) -> list[str]:
    return [name for each in _METADATA for name in listing.named(each)]


def facts_beside(listing: Listing, config: IngestConfig) -> dict[str, Photo]:
    """What tables with the column file_name say of photos whose boxes are in other files; by their names."""
    files = [name for name in metadata_files(listing) if "file_name" in head_columns(listing.files[name])]
    return {photo.name: photo for file in files for photo in _in_metadata(listing, file, config)}


def _check_one_configuration(listing: Listing, shards: list[str]) -> None:
    """CONFIGURATION/SPLIT/0000.parquet: several configurations usually hold the same photos."""
    above: dict[str, str] = {}
    for name in shards:
        folders = name.split("/")[:-1]
        names = [folder for folder in folders if not read_split(folder)]
        above.setdefault("/".join(names), "/".join(folders[: len(names)]) if names else "")
    if len(above) > 1:
        shown = ", ".join(sorted(name or "(the folder itself)" for name in above))
        example = above[max(above)]
        raise InputError(
            f"{listing.root}: tables in several folders, as of several configurations: {shown}.",
            f"Give one of them: --source {listing.root / example}. If they belong together, put the tables "
            "into one folder.",
        )


def _in_metadata(listing: Listing, file: str, config: IngestConfig) -> Iterator[Photo]:
    path, folder = listing.files[file], posixpath.dirname(file)
    table = read_table(path)
    refuse_unread_boxes(table.columns, path)
    named = [name for name in table.columns if re.fullmatch(r"(.+_)?file_names?", name)]
    chosen = {"file": next((name for name in named if name.startswith("file")), named[0])} if named else {}
    columns = choose_columns(table, chosen | config.chosen_columns, path)
    if "file" not in columns:
        raise InputError(f"{path}: no column file_name.", "Name it: --columns file=... (or --layout).")
    for photo in photos_of(listing, table, columns, folder, file, config.on_conflict):
        yield dataclasses.replace(photo, split=photo.split or split_of(photo.name))


def _in_shard(listing: Listing, file: str, features: Features, config: IngestConfig) -> Iterator[Photo]:
    """The rows of a table that contains the images, with these features if it states none.

    Raises InputError.
    """
    path = listing.files[file]
    shard = Shard(path)
    image = config.chosen_columns.get("file") or shard.image_column
    if image is None or image not in shard.schema.names:
        raise _no_images(shard, image)
    features = shard.features(features)
    rows = [(cells, stored, named_row(stored, features)) for cells, stored in shard.rows(image)]
    table = Table(tuple(name for name in shard.schema.names if name != image), _numbered(rows))
    columns = _columns(table, features, path, config)
    split = split_of(file) or split_of_file(file)
    for number, (cells, stored, row) in enumerate(rows):
        if not cells:
            listing.skip(f"{file}/{number}", "a row without a picture", "photo missing")
        for cell in cells:
            photo = dataclasses.replace(_photo(listing, cell, file), split=split)
            if len(cells) > 1:  # several pictures of one row show one person
                photo = dataclasses.replace(photo, original=f"{file}/{cell.group}-{cell.row}")
            stated = stored.get(columns.get("label", ""))
            if stated is not None and row[columns["label"]] is None:
                listing.skip(photo.name, f"its label {stated!r} is none of the classes", "label unknown")
            elif described := with_row(listing, photo, row, columns, photo.name, len(cells)):
                yield described


def _no_images(shard: Shard, chosen: str | None) -> InputError:
    if chosen is None and (several := shard.byte_columns):
        return InputError(
            f"{shard.path}: several columns could hold its images: {', '.join(several)}.",
            f"Name one: --columns file={several[0]}",
        )
    return InputError(
        f"{shard.path}: no column of images{f' {chosen!r}' if chosen else ''}.",
        "If the table names image files, give the table itself: --source TABLE.parquet.",
    )


def _numbered(rows: list[tuple[list[Cell], dict[str, Any], dict[str, Any]]]) -> tuple[tuple[int, Any], ...]:
    return tuple((number, row) for number, (_, _, row) in enumerate(rows))


def _photo(listing: Listing, cell: Cell, file: str) -> Photo:
    """The picture in the cell; or the file whose path is all that the cell holds."""
    if listing.images and cell.path and cell.is_empty and (name := listing.find(cell.path)):
        return listing.photo(name)
    return Photo(posixpath.join(file, cell.name), cell)


def _columns(table: Table, features: Features, path: Path, config: IngestConfig) -> dict[str, str]:
    """What -> column; the only column of classes is the label, whatever its name. Raises ConfigError."""
    chosen = {what: column for what, column in config.chosen_columns.items() if what != "file"}
    columns = choose_columns(table, chosen, path)
    columns.pop("file", None)
    classes = [name for name, feature in features.items() if is_class(feature) and name in table.columns]
    if "label" not in columns and len(classes) > 1:
        raise ConfigError(
            f"{path}: several columns of classes: {', '.join(classes)}.",
            f"Name the one that is the label: --columns label={classes[0]}",
        )
    return columns | ({"label": classes[0]} if classes and "label" not in columns else {})
