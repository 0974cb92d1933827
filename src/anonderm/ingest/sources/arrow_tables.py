"""Parquet and Arrow files whose rows contain pictures: their columns, and the bytes in one cell."""

import functools
import posixpath
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.decode import format_of
from anonderm.core.errors import InputError, MissingPath, UnreadableImage
from anonderm.core.images import is_image_name
from anonderm.ingest.sources.features import Features, features_of
from anonderm.ingest.sources.photo import stamp

_LOCK = threading.Lock()  # neighbouring cells lie in one row group, which is read once
_USUAL = ("image", "images", "img", "photo", "picture", "image_bytes", "bytes", "jpg", "png")


@dataclass(frozen=True, slots=True)
class Cell:
    """The bytes in one cell of a column of pictures: bytes, or a struct of `bytes` and `path`.

    index: the place in the cell's list, where a cell holds several pictures.
    """

    table: Path
    column: str
    group: int
    row: int
    path: str
    index: int | None = None

    def read(self) -> bytes:
        with _LOCK:
            group = _column(self.table, stamp(self.table), self.column, self.group)
        if self.row >= len(group):
            raise MissingPath("no longer in the table.")
        data = _bytes_of(group[self.row].as_py(), self.index)
        if data is None:
            raise UnreadableImage("no image in this cell.")
        return data

    @property
    def is_empty(self) -> bool:
        """Whether only the path of the picture is in the table."""
        try:
            return not self.read()
        except InputError:
            return True

    @property
    def stamp(self) -> str:
        place = f"{stamp(self.table)} {self.column} {self.group} {self.row}"
        return place if self.index is None else f"{place} {self.index}"

    @property
    def name(self) -> str:
        """Distinct in the table."""
        place = f"{self.group}-{self.row}" if self.index is None else f"{self.group}-{self.row}-{self.index}"
        return posixpath.join(place, posixpath.basename(self.path.replace("\\", "/"))).rstrip("/")

    @property
    def suffix(self) -> str:
        """The suffix of the cell's path, or that of the image's format."""
        if is_image_name(self.path):
            return posixpath.splitext(self.path)[1].lower()
        return f".{format_of(self.read()) or 'png'}"


def _bytes_of(value: Any, index: int | None) -> bytes | None:
    if index is not None:
        value = value[index] if isinstance(value, list) and index < len(value) else None
    data = value.get("bytes") if isinstance(value, dict) else value
    return data if isinstance(data, bytes) else None


@dataclass(frozen=True)
class Shard:
    """A Parquet file, or an Arrow file as `save_to_disk` of `datasets` writes it.

    A struct around pictures counts as its fields: `sample` as sample.image and sample.label.
    """

    path: Path

    @functools.cached_property
    def schema(self) -> Any:
        """Raises InputError."""
        try:
            schema = _schema(self.path)
            return _flat(schema.empty_table(), _holders(schema)).schema
        except Exception as error:  # of any kind, for a file that only looks like a table
            what = f"{self.path}: not a readable table ({error})."
            raise InputError(what, "Download or export it again.") from error

    @property
    def image_column(self) -> str | None:
        """The column of pictures: a struct that holds bytes, or bytes with a usual name or alone."""
        structs = [field.name for field in self.schema if _is_picture(_element(field.type))]
        plain = self.byte_columns
        for names in (structs, plain):
            for usual in _USUAL:
                if found := [name for name in names if _last(name).lower() == usual]:
                    return found[0]
        return next(iter((*structs, *(plain if len(plain) == 1 else ()))), None)

    @property
    def byte_columns(self) -> list[str]:
        """The columns that may hold pictures without a struct."""
        return [field.name for field in self.schema if _is_bytes(_element(field.type))]

    def features(self, others: Features) -> Features:
        """The features that `datasets` notes in the schema, or else these; by column."""
        found = features_of(_schema(self.path)) or others
        return {name: _inside(found, name) for name in self.schema.names}

    def rows(self, image: str) -> Iterator[tuple[list[Cell], dict[str, Any]]]:
        """The pictures of each row, and the values of its other columns. Raises InputError."""
        others = [name for name in self.schema.names if name != image]
        kind = self.schema.field(image).type
        several = _element(kind) is not kind
        path = [image] if several else [f"{image}.path"] if _has_path(kind) else []
        try:
            for group, table in _groups(self.path, [*others, *path]):
                stated = _paths(table, image, several)
                for row, values in enumerate(table.select(others).to_pylist()):
                    paths = stated[row] if stated else [""]
                    yield (
                        [
                            Cell(self.path, image, group, row, each, index if several else None)
                            for index, each in enumerate(paths)
                        ],
                        values,
                    )
        except Exception as error:
            what = f"{self.path}: its rows cannot be read ({error})."
            raise InputError(what, "Download or export it again.") from error


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _inside(features: Any, name: str) -> Any:
    """The feature of sample.label, in that of sample."""
    for part in [name] if name in features else name.split("."):
        features = features.get(part) if isinstance(features, dict) else None
    return features


def _element(kind: Any) -> Any:
    """The type of the items of a list; the type itself of anything else."""
    import pyarrow as pa

    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return kind.value_type if lists else kind


def _is_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _fields(kind: Any) -> list[Any]:
    import pyarrow as pa

    return [kind.field(index) for index in range(kind.num_fields)] if pa.types.is_struct(kind) else []


def _is_picture(kind: Any) -> bool:
    return any(field.name == "bytes" and _is_bytes(field.type) for field in _fields(kind))


def _has_path(kind: Any) -> bool:
    return any(field.name == "path" for field in _fields(kind))


def _holders(fields: Iterable[Any], above: str = "") -> set[str]:
    """The structs around pictures, at any depth."""
    names = set()
    for field in fields:
        inner, name = _fields(field.type), f"{above}{field.name}"
        if inner and not _is_picture(field.type):
            deeper = _holders(inner, f"{name}.")
            if deeper or any(_is_picture(_element(each.type)) for each in inner):
                names |= {name, *deeper}
    return names


def _flat(table: Any, holders: set[str]) -> Any:
    """The table with these structs replaced by their fields."""
    for index, field in enumerate(table.schema):
        if field.name in holders:
            names = [f"{field.name}.{inner.name}" for inner in _fields(field.type)]
            parts = table.column(index).flatten()
            table = table.remove_column(index)
            for name, column in reversed(list(zip(names, parts, strict=True))):
                table = table.add_column(index, name, column)
            return _flat(table, holders)
    return table


def _paths(table: Any, image: str, several: bool) -> list[list[str]]:
    """The stated paths of the pictures in each row; empty if the table has none."""
    if image not in table.column_names:
        return []
    if several:
        cells = table[image].to_pylist()
        return [
            [str((each.get("path") if isinstance(each, dict) else None) or "") for each in cell or ()]
            for cell in cells
        ]
    import pyarrow.compute as compute

    if not _has_path(table.schema.field(image).type):
        return []
    return [[path or ""] for path in compute.struct_field(table[image], "path").to_pylist()]


def _schema(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if path.suffix.lower() == ".arrow":
        with pa.memory_map(str(path)) as file:
            return _arrow(file).schema
    return parquet.ParquetFile(path).schema_arrow


def _arrow(file: Any) -> Any:
    """A reader of an Arrow stream, as `datasets` writes it, or of an Arrow file."""
    import pyarrow as pa

    is_file = file.read(6) == b"ARROW1"
    file.seek(0)
    return pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)


def _groups(path: Path, columns: list[str]) -> Iterator[tuple[int, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if path.suffix.lower() == ".arrow":
        with pa.memory_map(str(path)) as file:
            table = _arrow(file).read_all()
            table.validate(full=True)  # or damaged offsets would end the program
            table = _flat(table, _holders(table.schema))
            names = {name.removesuffix(".path") for name in columns} | set(columns)
            yield 0, table.select([name for name in table.column_names if name in names])
        return
    opened = parquet.ParquetFile(path)
    holders = _holders(opened.schema_arrow)
    for group in range(opened.num_row_groups):
        table = opened.read_row_group(group, columns=columns)
        table.validate(full=True)
        yield group, _flat(table, holders)


@functools.lru_cache(maxsize=2)
def _column(table: Path, _state: str, column: str, group: int) -> Any:
    """One column of a row group; `_state` changes with the file."""
    try:
        return next(found for number, found in _groups(table, [column]) if number == group)[column]
    except FileNotFoundError as error:
        raise MissingPath("no such file.") from error
    except Exception as error:
        raise UnreadableImage(f"the table cannot be read ({error}).") from error
