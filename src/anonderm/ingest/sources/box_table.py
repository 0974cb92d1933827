"""A table with one row per box, as Roboflow writes it for TensorFlow and RetinaNet.

train/_annotations.csv    filename, width, height, class, xmin, ymin, xmax, ymax   likewise valid/ and test/
train/a.jpg

The table may have any name and lie anywhere above its photos. A row without a box says that there is none.
"""

import dataclasses
import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import number, split_of
from anonderm.ingest.sources.table_files import cell_text, read_table

_SUFFIXES = (".csv", ".tsv")
_FILE = ("filename", "file_name", "file", "image", "image_name", "image_path", "path", "img", "image_id")
_KIND = ("class", "class_name", "label", "label_name", "category", "name", "lesion", "kind")
_CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"), ("x1", "y1", "x2", "y2"))
_CORNER_AND_SIZE = (("bbox_x", "bbox_y", "bbox_width", "bbox_height"), ("x", "y", "w", "h"))
_SIZE = (("width", "height"), ("image_width", "image_height"))
_PEEK = 64 << 10


@dataclasses.dataclass(frozen=True)
class Columns:
    """The names of the columns; corners: whether the sides are two corners, else a corner and a size."""

    file: str
    kind: str
    sides: tuple[str, ...]
    corners: bool
    size: tuple[str, ...] = ()


def fits_file(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() in _SUFFIXES and _head_columns(source) is not None


def fits(listing: Listing) -> bool:
    return any(_head_columns(listing.files[name]) for name in listing.with_suffix(*_SUFFIXES))


def _head_columns(path: Path) -> Columns | None:
    """The columns of a table of boxes; None for other files."""
    try:
        with path.open("rb") as file:
            head = file.read(_PEEK).decode("utf-8-sig", "replace")
    except OSError:
        return None
    lines = head.splitlines()[:2]
    line = (
        lines[1] if lines and lines[0].lower().startswith("sep=") and len(lines) > 1 else (lines or [""])[0]
    )
    separator = max(",;\t", key=line.count)
    return _columns(tuple(word.strip().strip('"') for word in line.split(separator)))


def _columns(names: tuple[str, ...]) -> Columns | None:
    lower = {name.lower(): name for name in reversed(names)}
    file, kind = (next((lower[name] for name in known if name in lower), None) for known in (_FILE, _KIND))
    corners, others = (
        next((group for group in groups if set(group) <= lower.keys()), ())
        for groups in (_CORNERS, _CORNER_AND_SIZE)
    )
    sides = corners or others
    if not (file and kind and sides):
        return None
    size = next((group for group in _SIZE if set(group) <= lower.keys() - set(sides)), ())
    return Columns(
        file, kind, tuple(lower[name] for name in sides), bool(corners), tuple(lower[name] for name in size)
    )


def find(config: IngestConfig) -> Found:
    """Raises InputError for a table that is none of boxes."""
    if config.source.is_file():
        listing, tables = Listing(config.source.absolute().parent), [config.source.name]
    else:
        listing = Listing(config.source)
        tables = [name for name in listing.with_suffix(*_SUFFIXES) if _head_columns(listing.files[name])]
    for table in tables:
        listing.photos += _photos(listing, table)
    return listing.found_by_roboflow(tables)


def _photos(listing: Listing, file: str) -> list[Photo]:
    table = read_table(listing.files[file])
    columns = _columns(table.columns)
    if columns is None:
        raise InputError(
            f"{listing.files[file]}: no columns of boxes (its columns: {', '.join(table.columns)}).",
            "They must be like filename, class, xmin, ymin, xmax, ymax.",
        )
    boxes: dict[str, list[Lesion] | None] = {}
    sizes: dict[str, tuple[float, float] | None] = {}
    for line, row in table.rows:
        stated, where = cell_text(row.get(columns.file)), f"{file}:{line}"
        name = listing.find(stated, posixpath.dirname(file)) if stated else None
        if name is None:
            listing.skip_missing(where, stated)
            continue
        found, lesion = boxes.setdefault(name, []), _lesion(row, columns)
        sizes.setdefault(name, _size(row, columns))
        if isinstance(lesion, str):
            listing.skip(name, f"{where}: {lesion}", "box unusable")
            boxes[name] = None
        elif lesion is not None and found is not None:
            found.append(lesion)
    return [
        dataclasses.replace(listing.photo(name).with_boxes(found, sizes[name]), split=split_of(name))
        for name, found in boxes.items()
    ]


def _lesion(row: Mapping[str, Any], columns: Columns) -> Lesion | str | None:
    """The box of a row; None for a row without one; or what is wrong with it."""
    words, kind = [cell_text(row.get(side)) for side in columns.sides], cell_text(row.get(columns.kind))
    if not any(words):
        return None
    sides = [value for word in words if (value := number(word.replace(",", "."))) is not None]
    if len(sides) < len(words) or not kind:
        return f"not a box and its class: {', '.join([kind, *words])[:80]!r}"
    return Lesion(kind, *sides) if columns.corners else Lesion.from_corner(kind, *sides)


def _size(row: Mapping[str, Any], columns: Columns) -> tuple[float, float] | None:
    values = [number(cell_text(row.get(name))) for name in columns.size]
    return (values[0], values[1]) if len(values) == 2 and values[0] and values[1] else None
