"""Images in the cells of Parquet files, as Hugging Face's `datasets` writes them."""

from __future__ import annotations

import functools
import io
import posixpath
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.errors import MissingPath, UnreadableImage
from anonderm.core.images import is_image_name
from anonderm.ingest.sources.photo import stamp

_LOCK = threading.Lock()  # neighbouring cells lie in one row group, which is read once


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
