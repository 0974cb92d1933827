"""Parquet and Arrow files whose rows contain pictures: their columns, and the bytes in one cell."""

import functools
import json
import posixpath
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.decode import format_of
from anonderm.core.errors import InputError, MissingPath, UnreadableImage
from anonderm.core.images import is_image_name
from anonderm.ingest.sources.photo import stamp

_LOCK = threading.Lock()  # neighbouring cells lie in one row group, which is read once
_USUAL = ("image", "img", "photo", "picture", "image_bytes", "bytes", "jpg", "png")


@dataclass(frozen=True, slots=True)
class Cell:
    """The bytes in one cell of an image column: bytes, or a struct of `bytes` and `path`."""

    table: Path
    column: str
    group: int
    row: int
    path: str

    def read(self) -> bytes:
        with _LOCK:
            group = _column(self.table, stamp(self.table), self.column, self.group)
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
        if is_image_name(self.path):
            return posixpath.splitext(self.path)[1].lower()
        return f".{format_of(self.read()) or 'png'}"


@dataclass(frozen=True)
class Shard:
    """A Parquet file, or an Arrow stream as `save_to_disk` of `datasets` writes it."""

    path: Path

    @property
    def schema(self) -> Any:
        """Raises InputError."""
        try:
            return _schema(self.path)
        except Exception as error:  # of any kind, for a file that only looks like a table
            what = f"{self.path}: not a readable table ({error})."
            raise InputError(what, "Download or export it again.") from error

    @property
    def image_column(self) -> str | None:
        """The column of pictures: a struct that holds bytes, or bytes with a usual name or alone."""
        import pyarrow as pa

        structs = [
            field.name for field in self.schema if pa.types.is_struct(field.type) and _has_bytes(field)
        ]
        plain = [
            field.name
            for field in self.schema
            if pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type)
        ]
        usual = [name for name in plain if name.lower() in _USUAL]
        return next(iter((*structs, *usual, *(plain if len(plain) == 1 else ()))), None)

    @property
    def features(self) -> dict[str, Any]:
        """The features that `datasets` notes in the schema; {} without any."""
        try:
            features = json.loads((self.schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        except (KeyError, TypeError, ValueError, RecursionError):
            return {}
        return features if isinstance(features, dict) else {}

    def rows(self, image: str) -> Iterator[tuple[Cell, dict[str, Any]]]:
        """The cell of each picture, and the values of the other columns. Raises InputError."""
        others = [name for name in self.schema.names if name != image]
        path = [f"{image}.path"] if _has_path(self.schema.field(image)) else []
        try:
            for group, table in _groups(self.path, [*others, *path]):
                for row in range(len(table)):
                    values = {name: table[name][row].as_py() for name in table.column_names}
                    stated = values.get(image)
                    place = stated.get("path") if isinstance(stated, dict) else None
                    yield Cell(self.path, image, group, row, str(place or "")), values
        except Exception as error:
            what = f"{self.path}: its rows cannot be read ({error})."
            raise InputError(what, "Download or export it again.") from error


def _has_bytes(field: Any) -> bool:
    return "bytes" in {field.type.field(index).name for index in range(field.type.num_fields)}


def _has_path(field: Any) -> bool:
    import pyarrow as pa

    struct = pa.types.is_struct(field.type)
    return struct and "path" in {field.type.field(index).name for index in range(field.type.num_fields)}


def _schema(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if path.suffix.lower() == ".arrow":
        with pa.memory_map(str(path)) as file:
            return pa.ipc.open_stream(file).schema
    return parquet.ParquetFile(path).schema_arrow


def _groups(path: Path, columns: list[str]) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if path.suffix.lower() == ".arrow":
        with pa.memory_map(str(path)) as file:
            table = pa.ipc.open_stream(file).read_all()
            yield 0, table.select([name for name in table.column_names if name in columns])
        return
    opened = parquet.ParquetFile(path)
    for group in range(opened.num_row_groups):
        yield group, opened.read_row_group(group, columns=columns)


@functools.lru_cache(maxsize=2)
def _column(table: Path, _state: str, column: str, group: int) -> Any:
    """One column of a row group; `_state` changes with the file."""
    try:
        return next(found for number, found in _groups(table, [column]) if number == group)[column]
    except FileNotFoundError as error:
        raise MissingPath("no such file.") from error
    except Exception as error:
        raise UnreadableImage(f"the table cannot be read ({error}).") from error
