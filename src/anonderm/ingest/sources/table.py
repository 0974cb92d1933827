"""A table of photos: CSV, TSV, JSON lines or Parquet, a row a photo, with columns named in the settings.

Files are named relative to the table's folder, and must lie below it.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.errors import ConfigError, InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.tree import Tree, read_split, read_text

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")

# What a column may be called where the settings do not name it.
_USUAL = {
    "file": ("file", "file_name", "filename", "image", "image_path", "path"),
    "label": ("label", "class", "severity", "grade"),
    "subject": ("subject", "subject_id", "person", "patient", "patient_id"),
    "split": ("split", "set", "fold"),
    "licence": ("licence", "license"),
    "credit": ("credit", "author"),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """A table: the names of its columns, and the rows with the numbers that an editor shows for them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, Any]], ...]


def fits(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() in SUFFIXES


def find(config: IngestConfig) -> Found:
    tree = Tree(config.source.absolute().parent)
    table = read_rows(config.source)
    columns = choose_columns(table, config.chosen_columns, config.source)
    if "file" not in columns:
        raise _no_column("file", table, config.source)
    skipped: list[Skipped] = []
    photos = list(photos_of(tree, table, columns, "", config.source.name, skipped))
    return tree.found(photos, skipped, {config.source.name})


def photos_of(
    tree: Tree, table: Rows, columns: Mapping[str, str], below: str, where: str, skipped: list[Skipped]
) -> Iterator[Photo]:
    """The photos that the rows name; rows without a usable one are added to `skipped`."""
    for number, row in table.rows:
        told = {what: word(row.get(column)) for what, column in columns.items()}
        name = tree.find(told["file"], below) if told["file"] else None
        if name is None:
            named = f"names {told['file']!r}, which is not there" if told["file"] else "names no file"
            skipped.append(Skipped(f"{where}:{number}", named, "photo missing"))
        elif "label" in columns and not told["label"]:
            skipped.append(Skipped(name, f"{where}:{number} gives it no label", "label unknown"))
        elif told.get("split") and read_split(told["split"]) is None:
            skipped.append(
                Skipped(
                    name, f"{where}:{number} gives it the unknown split {told['split']!r}", "split unknown"
                )
            )
        else:
            yield with_facts(tree.photo(name), told)


def with_facts(photo: Photo, told: Mapping[str, str]) -> Photo:
    """`told`: what -> word of a table, empty where it says nothing."""
    return dataclasses.replace(
        photo,
        label=told.get("label") or None,
        subject=told.get("subject") or None,
        split=read_split(told.get("split", "")) or photo.split,
        licence=told.get("licence", ""),
        credit=told.get("credit", ""),
    )


def choose_columns(table: Rows, chosen: Mapping[str, str], source: Path) -> dict[str, str]:
    """What -> column, as the settings say, or by its usual name. Raises ConfigError for a missing one."""
    small = {column.lower(): column for column in reversed(table.columns)}
    found: dict[str, str] = {}
    for what, usual in _USUAL.items():
        if what in chosen:
            if chosen[what] not in table.columns:
                raise _no_column(chosen[what], table, source)
            found[what] = chosen[what]
        else:
            there = [small[name] for name in usual if name in small]
            if there:
                found[what] = there[0]
    return found


def _no_column(name: str, table: Rows, source: Path) -> ConfigError:
    known = ", ".join(table.columns)
    return ConfigError(
        f"{source}: no column {name!r}.", f"Its columns: {known}. Name them: --columns file=... label=..."
    )


def read_rows(path: Path) -> Rows:
    """The table in a file of one of SUFFIXES. Raises InputError."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet_rows(path)
    return _json_rows(path) if suffix == ".jsonl" else _csv_rows(path)


def _csv_rows(path: Path) -> Rows:
    text = read_text(path)
    head = text.partition("\n")[0]
    delimiter = "\t" if "\t" in head and "," not in head else ";" if ";" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        columns = tuple(word.strip() for word in next(reader, []))
        rows = [(reader.line_num, words) for words in reader if any(map(str.strip, words))]
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a line of CSV ({error}).", "Mend it.") from error
    return Rows(columns, tuple((number, dict(zip(columns, words, strict=False))) for number, words in rows))


def _json_rows(path: Path) -> Rows:
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InputError(f"{path}:{number}: not JSON ({error}).", "Mend it.") from error
            if not isinstance(row, dict):
                raise InputError(f"{path}:{number}: not a JSON object.", "Mend it.")
            rows.append((number, row))
    columns = dict.fromkeys(name for _, row in rows for name in row)
    return Rows(tuple(columns), tuple(rows))


def _parquet_rows(path: Path) -> Rows:
    """Without columns of bytes, which may hold images."""
    import pyarrow.lib
    import pyarrow.parquet as parquet

    try:
        names = [field.name for field in parquet.read_schema(path) if "binary" not in str(field.type)]
        rows = parquet.read_table(path, columns=names).to_pylist()
    except (pyarrow.lib.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a Parquet table ({error}).", "Get it again.") from error
    return Rows(tuple(names), tuple(enumerate(rows, start=1)))


def word(value: Any) -> str:
    """What a cell says, in words; empty where it says nothing."""
    if value is None or value != value:  # NaN, as pandas writes an empty cell
        return ""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip()
