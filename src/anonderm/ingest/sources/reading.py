"""Reading label files: text, JSON, tables and their values, with the same errors for every layout."""

import csv
import io
import json
import math
import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.core.records import Lesion

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")

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


def read_text(path: Path) -> str:
    """The text of a label file: UTF-8, or UTF-16 with a byte order mark; any line ends. Raises InputError."""
    try:
        data = path.read_bytes()
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}).", "Save it as UTF-8.") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1. Raises InputError."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def read_json_object(path: Path) -> dict[str, Any]:
    """Raises InputError."""
    return _object(parse_json(read_text(path), str(path)), str(path))


def parse_json(
    text: str | bytes, where: str, object_hook: Callable[[dict[str, Any]], Any] | None = None
) -> Any:
    """`where` names the text in errors. Raises InputError."""
    try:
        return json.loads(text, object_hook=object_hook)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON ({error}).", _DOWNLOAD_AGAIN) from error


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
    head = text.partition("\n")[0]
    delimiter = "\t" if "\t" in head and "," not in head else ";" if ";" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        columns = tuple(word.strip() for word in next(reader, []))
        rows = [(reader.line_num, words) for words in reader if any(map(str.strip, words))]
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
    return _SPLITS.get(word.strip().lower())


def split_of(name: str) -> str | None:
    """The split after which a folder in this path is named: train, val or test."""
    found = (_SPLITS.get(part.lower()) for part in posixpath.dirname(name).split("/"))
    return next(filter(None, found), None)


def class_name(number: str, names: Sequence[str]) -> str | None:
    """The class with this number from 0, or None; the number itself if there are no names."""
    if not number.isdecimal() or not number.isascii() or len(number) > 9:
        return None
    if not names:
        return number
    return names[int(number)] if int(number) < len(names) else None


def numbers(values: object, count: int | None = None) -> list[float] | None:
    """A list of finite numbers, of this length if one is given; None for anything else."""
    if not isinstance(values, list) or (count is not None and len(values) != count):
        return None
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(map(math.isfinite, found)) else None


def lesion_types(lesions: Sequence[Lesion]) -> tuple[str, ...]:
    """The distinct kinds, in alphabetical order."""
    return tuple(sorted({lesion.kind for lesion in lesions}))


def cell_text(value: Any) -> str:
    """The value of a table's cell as text; "" for an empty cell."""
    if value is None or value != value:  # NaN, as pandas writes an empty cell
        return ""
    whole = isinstance(value, float) and value.is_integer()
    return str(int(value) if whole else value).strip()
