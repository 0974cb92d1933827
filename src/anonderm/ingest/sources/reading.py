"""Reading label files: text, JSON, tables and their values, with the same errors for every layout."""

import csv
import io
import math
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.documents import parse_json, read_text
from anonderm.core.errors import InputError

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")

_CLASS_NUMBER = re.compile(r"([0-9]{1,9})(?:\.0*)?")
_DOWNLOAD_AGAIN = "Download or export it again."
_SPLIT_NAMES = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_SPLITS = {name: split for split, names in _SPLIT_NAMES.items() for name in names}


@dataclass(frozen=True, slots=True)
class Table:
    """The names of the columns, and the rows with their line numbers."""

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, Any]], ...]


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1. Raises InputError."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def read_json_object(path: Path) -> dict[str, Any]:
    """Raises InputError."""
    return _object(parse_json(read_text(path), str(path)), str(path))


def _object(content: Any, where: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        raise InputError(f"{where}: not a JSON object.", _DOWNLOAD_AGAIN)
    return content


def read_table(path: Path) -> Table:
    """The table in a file with one of TABLE_SUFFIXES. Raises InputError."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet_table(path)
    return _json_table(path) if suffix == ".jsonl" else _csv_table(path)


def _csv_table(path: Path) -> Table:
    text = read_text(path)
    head, _, rest = text.partition("\n")
    stated = re.fullmatch(r"sep=(.)", head.strip(), re.IGNORECASE)  # as Excel writes it
    if stated:
        text, head = rest, rest.partition("\n")[0]
    found = "\t" if "\t" in head and "," not in head else ";" if ";" in head and "," not in head else ","
    delimiter = stated[1] if stated else found
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        columns = tuple(word.strip() for word in next(reader, []))
        rows = [(reader.line_num + bool(stated), words) for words in reader if any(map(str.strip, words))]
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a line of CSV ({error}).", "Correct it.") from error
    return Table(columns, tuple((number, dict(zip(columns, words, strict=False))) for number, words in rows))


def _json_table(path: Path) -> Table:
    rows = []
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        rows.append((number, _object(parse_json(line, where), where)))
    columns = dict.fromkeys(name for _, row in rows for name in row)
    return Table(tuple(columns), tuple(rows))


def _parquet_table(path: Path) -> Table:
    """Without columns of bytes, which may hold images."""
    import pyarrow.lib
    import pyarrow.parquet as parquet

    try:
        names = [field.name for field in parquet.read_schema(path) if "binary" not in str(field.type)]
        rows = parquet.read_table(path, columns=names).to_pylist()
    except (pyarrow.lib.ArrowException, OSError) as error:
        raise InputError(f"{path}: not a Parquet table ({error}).", _DOWNLOAD_AGAIN) from error
    return Table(tuple(names), tuple(enumerate(rows, start=1)))


def read_split(word: str) -> str | None:
    """train, val or test for the usual words in any case."""
    return _SPLITS.get(word.strip().lower().removeprefix("partial-"))


def split_of(name: str) -> str | None:
    """The split after which a folder in this path is named: train, val or test."""
    found = (read_split(part) for part in posixpath.dirname(name).split("/"))
    return next(filter(None, found), None)


def class_name(number: str, names: Sequence[str], count: int | None = None) -> str | None:
    """The class with this number from 0, also written 1.0, or None; the number itself if there are no names.

    count: the number of classes without names, where it is known.
    """
    match = _CLASS_NUMBER.fullmatch(number)
    if match is None:
        return None
    index = int(match[1])
    if not names:
        return str(index) if count is None or index < count else None
    return names[index] if index < len(names) else None


def number(value: object) -> float | None:
    """A finite number, also written as text; None for anything else."""
    found = numbers([value])
    return found[0] if found and not isinstance(value, bool) else None


def numbers(values: object, count: int | None = None) -> list[float] | None:
    """A list of finite numbers, of this length if one is given; None for anything else."""
    if not isinstance(values, list | tuple) or (count is not None and len(values) != count):
        return None
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(map(math.isfinite, found)) else None


def cell_text(value: Any) -> str:
    """The value of a table's cell as text; "" for an empty cell."""
    if value is None or value != value:  # NaN, as pandas writes an empty cell
        return ""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip()
