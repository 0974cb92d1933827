"""Tables as programs write them: CSV, TSV, JSON and Parquet, and the values in their cells."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.documents import parse_json, read_text
from anonderm.core.errors import InputError
from anonderm.core.files import without_apostrophe
from anonderm.core.images import is_image_name
from anonderm.ingest.sources.features import features_of, named_row
from anonderm.ingest.sources.reading import as_object, read_lines

TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".txt", ".jsonl", ".ndjson", ".json", ".parquet")

_SEPARATORS = "\t;,|"
_PEEK = 64 << 10  # bytes
_EMPTY = {"nan", "n/a", "#n/a", "<na>", "null"}  # as programs write empty cells
_WHOLE = re.compile(r"([+-]?\d+)[.,]0+")


@dataclass(frozen=True, slots=True)
class Table:
    """The names of the columns, and the rows with their line numbers.

    Of columns with one name, all are in `columns`; the first one's values are in the rows.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, Mapping[str, Any]], ...]


def read_table(path: Path, columns: tuple[str, ...] = ()) -> Table:
    """The table in a file with one of TABLE_SUFFIXES. Raises InputError.

    columns: their names, for a CSV file whose first line does not hold them.
    """
    match path.suffix.lower():
        case ".parquet":
            return _parquet_table(path)
        case ".json":
            return _of_objects([(row, each) for row, each in enumerate(_json_list(path), start=1)])
        case ".jsonl" | ".ndjson":
            return _of_objects(list(_json_lines(path)))
    return _csv_table(path, columns)


def head_columns(path: Path) -> tuple[str, ...]:
    """The names of the columns, from the beginning of the file; none for a file that is no table."""
    try:
        match path.suffix.lower():
            case ".parquet" | ".json":
                return read_table(path).columns
            case ".jsonl" | ".ndjson":
                first = next((line for line in _head(path).split("\n") if line.strip()), "")
                return tuple(as_object(parse_json(first, str(path)), str(path)))
        separator, text = _stated_separator(_head(path))
        _, words = next(_csv_lines(text, path, separator), (0, []))
        if len(words) == 1 and _separator(words[0]):
            _, words = next(_csv_lines(words[0], path), (0, []))
    except (InputError, OSError):
        return ()
    return tuple(word.strip() for word in words)


def _head(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(_PEEK)
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return data.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")


def _stated_separator(text: str) -> tuple[str | None, str]:
    """The separator that Excel's first line sep=; names, and the text after that line."""
    head, _, rest = text.partition("\n")
    stated = re.fullmatch(r"\"?sep=(.)\"?", head, re.IGNORECASE)
    return (stated[1], rest) if stated else (None, text)


def _csv_table(path: Path, named: tuple[str, ...]) -> Table:
    text = read_text(path)
    if "\0" in text:
        raise InputError(f"{path}: not text in UTF-8.", "Save it as CSV in UTF-8.")
    separator, text = _stated_separator(text)
    lines = list(_csv_lines(text, path, separator))
    quoted = [words[0] for _, words in lines if len([word for word in words if word.strip()]) == 1]
    if lines and len(quoted) == len(lines) and _separator(quoted[0]):  # every line is in quotes as a whole
        whole = [
            (number, list(_csv_lines(text, path))) for (number, _), text in zip(lines, quoted, strict=True)
        ]
        lines = [(number, inner[0][1]) for number, inner in whole if inner]
    if named:
        lines.insert(0, (0, list(named)))
    columns = tuple(word.strip() for word in lines[0][1]) if lines else ()
    for number, words in lines[1:]:
        if any(word.strip() for word in words[len(columns) :]):
            raise InputError(
                f"{path}:{number}: {len(words)} cells, but the first line names {len(columns)} columns.",
                "Put quotes around cells that contain the separator, or name every column in the first line.",
            )
    return Table(columns, tuple((number, _csv_row(columns, words)) for number, words in lines[1:]))


def _csv_row(columns: Sequence[str], words: Sequence[str]) -> dict[str, str]:
    pairs = list(zip(columns, map(without_apostrophe, words), strict=False))
    return dict(reversed(pairs))


def _csv_lines(text: str, path: Path, stated: str | None = None) -> Iterator[tuple[int, list[str]]]:
    """The lines that are not blank, with their numbers; one line more where the separator was `stated`.

    Raises InputError.
    """
    first = next((line for line in text.split("\n") if line.strip()), "")
    delimiter, before = stated or _separator(first) or ",", int(stated is not None)
    file = io.StringIO(text, newline="")
    reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for words in reader:
            if any(map(str.strip, words)):
                yield reader.line_num + before, words
    except csv.Error as error:
        where = f"{path}:{reader.line_num + before}"
        raise InputError(
            f"{where}: not a line of CSV ({error}).", "Correct it: quotes must pair up."
        ) from error


def _separator(line: str) -> str | None:
    """The separator that a line has most of, outside quotes."""
    bare = re.sub(r'"[^"]*"', "", line)
    best = max(_SEPARATORS, key=bare.count)
    return best if best in bare else None


def _json_list(path: Path) -> list[dict[str, Any]]:
    """The objects of a list; of {file: label or object}; or of columns {name: {row: value}}, as in pandas."""
    content = parse_json(read_text(path), str(path))
    if isinstance(content, dict) and content:
        values = list(content.values())
        if all(isinstance(each, str | int | float) for each in values):
            content = [{"file": file, "label": label} for file, label in content.items()]
        elif all(isinstance(each, dict) for each in values) and all(map(is_image_name, content)):
            content = [{"file": file, **facts} for file, facts in content.items()]
        elif all(isinstance(each, dict) and each.keys() == values[0].keys() for each in values):
            content = [{name: content[name][row] for name in content} for row in values[0]]
    if not isinstance(content, list):
        raise InputError(
            f"{path}: not a list of objects, one for each photo.",
            "If it is a file of boxes, give the folder that holds it and the photos.",
        )
    return [as_object(each, f"{path}: entry {number}") for number, each in enumerate(content, start=1)]


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in read_lines(path):
        where = f"{path}:{number}"
        yield number, as_object(parse_json(line, where), where)


def _of_objects(rows: Sequence[tuple[int, dict[str, Any]]]) -> Table:
    return Table(tuple(dict.fromkeys(name for _, row in rows for name in row)), tuple(rows))


def _parquet_table(path: Path) -> Table:
    """Without columns of bytes, which may hold images; with the names of classes for their numbers."""
    import pyarrow.lib
    import pyarrow.parquet as parquet

    try:
        schema = parquet.read_schema(path)
        names = [field.name for field in schema if "binary" not in str(field.type)]
        table = parquet.ParquetFile(path).read(columns=names)
        table.validate(full=True)
        rows = table.to_pylist()
    except (pyarrow.lib.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        what = f"{path}: not a Parquet table ({error})."
        raise InputError(what, "Download or export it again.") from error
    features = features_of(schema)
    return Table(tuple(names), tuple((n, named_row(row, features)) for n, row in enumerate(rows, start=1)))


def cell_text(value: Any) -> str:
    """The value of a table's cell as text; "" for an empty cell."""
    if value is None or value != value:  # NaN, as pandas writes an empty cell
        return ""
    text = str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
    return "" if text.lower() in _EMPTY else text


def class_text(value: Any) -> str:
    """The same for the name of a class or person: 1, 1.0 and "1,0" are one, and so are True and "TRUE"."""
    text = cell_text(value)
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text.capitalize() if text.lower() in ("true", "false") else text
