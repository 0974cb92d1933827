"""A table of photos: CSV, TSV, JSON lines or Parquet, one row per photo; the settings name the columns.

Files are named relative to the table's folder, and must be below it; `Listing.find` also finds them by their
names alone. A cell may hold a list of files, which then show one person. Boxes may stand in `objects`.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anonderm.core.errors import BadLabel, ConfigError, InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.box_table import refuse_unread_boxes
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.object_columns import OBJECT_COLUMNS, with_objects
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import read_split
from anonderm.ingest.sources.table_files import TABLE_SUFFIXES, Table, cell_text, class_text, read_table

# Common names of columns, which are recognised if the settings name none.
_COMMON_NAMES = {
    "file": (
        *("file", "file_name", "filename", "file_names", "image", "image_path", "path", "image_name"),
        *("image_file", "img", "img_path", "img_name", "filepath", "file_path", "photo", "image_id", "id"),
    ),
    "label": (
        *("label", "labels", "class", "class_name", "label_name", "severity", "grade"),
        *("category", "diagnosis", "target", "cls"),
    ),
    "subject": ("subject", "subject_id", "person", "patient", "patient_id"),
    "split": ("split", "set", "fold"),
    "licence": ("licence", "license"),
    "credit": ("credit", "author"),
}
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")
_NUMBER = re.compile(r"([0-9]{1,18})(?:\.0)?")


def fits_file(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() in TABLE_SUFFIXES


def find(config: IngestConfig) -> Found:
    """Raises InputError."""
    listing = Listing(config.source.absolute().parent)
    table = read_table(config.source)
    refuse_unread_boxes(table.columns, config.source)
    columns = choose_columns(table, config.chosen_columns, config.source)
    if "file" not in columns:
        raise _no_column("file", table, config.source)
    listing.photos += photos_of(listing, table, columns, "", config.source.name, config.on_conflict)
    unread = [name for name in table.columns if name and name not in (*columns.values(), *OBJECT_COLUMNS)]
    if unread and "label" not in columns and config.label is None:
        reason = f"no column is the label, and these are not read: {', '.join(unread)}; --columns label=..."
        listing.skip(config.source.name, reason, "label unknown")
    return listing.found({config.source.name})


def photos_of(
    listing: Listing, table: Table, columns: Mapping[str, str], folder: str, where: str, on_conflict: str
) -> list[Photo]:
    """The photos named by the rows of a table in `folder`; rows without a usable photo are skipped.

    Raises BadLabel for a photo with two labels, unless `on_conflict` is drop, and InputError where photos are
    missing that an archive beside the table seems to hold.
    """
    found: dict[str, list[tuple[str, Photo]]] = {}
    missing = 0
    for number, row in table.rows:
        line, files = f"{where}:{number}", _files(row.get(columns["file"]))
        if not files:
            listing.skip(line, "names no file", "photo missing")
        for file in files:
            name = _find(listing, file, folder)
            if name is None:
                listing.skip_missing(line, file)
                missing += 1
                continue
            photo = listing.photo(name)
            if len(files) > 1:
                photo = dataclasses.replace(photo, original=line)
            if described := with_row(listing, photo, row, columns, line, len(files)):
                found.setdefault(name, []).append((line, described))
    archives = listing.with_suffix(*_ARCHIVES)
    if archives and missing == len(table.rows):
        raise InputError(
            f"{where}: none of its {missing} photos exists, but there is {', '.join(archives)}.",
            f"Unpack it beside the table: unzip {archives[0]}",
        )
    return [photo for rows in found.values() for photo in _of_one_label(listing, rows, on_conflict)]


def _of_one_label(listing: Listing, rows: Sequence[tuple[str, Photo]], on_conflict: str) -> list[Photo]:
    """The photo as each of its rows describes it; none, and a note, if they disagree on the label."""
    (line, first), *_ = rows
    other = next(((where, photo.label) for where, photo in rows if photo.label != first.label), None)
    if other is None:
        return [photo for _, photo in rows]
    conflict = f"labelled {first.label} in {line}, and {other[1]} in {other[0]}"
    if on_conflict == "error":
        raise BadLabel(
            f"{first.name}: {conflict}.",
            "Keep one row for each photo, or add --on-conflict drop to leave out such photos. A table of "
            "boxes needs columns such as xmin, ymin, xmax, ymax.",
        )
    listing.skip(first.name, conflict, "two labels")
    return []


def _files(value: Any) -> list[str]:
    """The names in a cell: one, a list, or that of a picture {"path": ...}."""
    values = value if isinstance(value, list) else [value]
    texts = (cell_text(each.get("path") if isinstance(each, dict) else each) for each in values)
    return [text for text in texts if text]


def _find(listing: Listing, file: str, folder: str) -> str | None:
    """The file; a number that a program has written as 12 or 12.0 may be that of 0012.jpg."""
    if name := listing.find(file, folder):
        return name
    number = _NUMBER.fullmatch(file)
    return listing.numbered(int(number[1])) if number else None


def with_row(
    listing: Listing,
    photo: Photo,
    row: Mapping[str, Any],
    columns: Mapping[str, str],
    line: str,
    pictures: int,
) -> Photo | None:
    """The photo with what its row says; None, and a note, without a label or with an unknown split.

    A list of labels names the types of lesions, without boxes. Lesions are unknown where one of these types
    is, or where the row has several pictures, since any may show them.
    """
    facts, stated = _facts(row, columns), row.get(columns.get("label", ""))
    if isinstance(stated, list):
        kinds, facts["label"] = set(map(class_text, stated)), ""
        if "" in kinds:
            listing.skip(photo.name, f"one of the labels in {line} is none of the classes", "label unknown")
        else:
            photo = dataclasses.replace(photo, lesion_types=tuple(sorted(kinds)))
    elif "label" in columns and not facts["label"]:
        listing.skip(photo.name, f"no label in {line}", "label unknown")
        return None
    split = read_split(facts["split"]) if facts.get("split") else photo.split
    if facts.get("split") and split is None:
        listing.skip(photo.name, f"unknown split {facts['split']!r} in {line}", "split unknown")
        return None
    photo = dataclasses.replace(
        photo,
        label=facts.get("label") or None,
        subject=facts.get("subject") or None,
        split=split,
        licence=facts.get("licence", ""),
        credit=facts.get("credit", ""),
    )
    photo = with_objects(listing, photo, row)
    if pictures > 1 and (photo.lesions, photo.lesion_types) != (None, None):
        listing.skip(photo.name, f"{line} has lesions for {pictures} pictures together", "box unusable")
        return photo.with_boxes(None)
    return photo


def _facts(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, str]:
    """What -> text of its cell, "" if it is empty."""
    return {
        what: (class_text if what in ("label", "subject") else cell_text)(row.get(column))
        for what, column in columns.items()
        if what != "file"
    }


def choose_columns(table: Table, chosen: Mapping[str, str], source: Path) -> dict[str, str]:
    """What -> column, as chosen in the settings, or by a common name, also as the last part of a.b.

    A column of a common name for splits that holds none, such as the numbers of folds, is not taken.
    Raises ConfigError for a column that is missing, or that several columns could be.
    """
    found: dict[str, str] = {}
    for what, names in _COMMON_NAMES.items():
        if what in chosen:
            if chosen[what] not in table.columns:
                raise _no_column(chosen[what], table, source)
            found[what] = chosen[what]
        elif same := _called(table, names):
            found[what] = same[0]
        else:
            continue
        same = [column for column in table.columns if column == found[what]] if what in chosen else same
        if len(same) > 1:
            raise ConfigError(
                f"{source}: {len(same)} columns could be the {what}: {', '.join(same)}.",
                f"Rename them, or name one: --columns {what}={same[0]}",
            )
    if "split" in found and "split" not in chosen and not _holds_splits(table, found["split"]):
        del found["split"]
    return found


def _called(table: Table, names: tuple[str, ...]) -> list[str]:
    """The columns with the first of these names that any has."""
    for name in names:
        whole = [column for column in table.columns if column.lower() == name]
        if same := whole or [column for column in table.columns if column.lower().endswith(f".{name}")]:
            return same
    return []


def _holds_splits(table: Table, column: str) -> bool:
    return not table.rows or any(read_split(cell_text(row.get(column))) for _, row in table.rows)


def _no_column(name: str, table: Table, source: Path) -> ConfigError:
    known = ", ".join(table.columns) or "none"
    return ConfigError(
        f"{source}: no column {name!r}.",
        f"Its first line names the columns: {known}. Say which is which: --columns file=... label=...",
    )
