"""A table with one row per box, as Roboflow writes it for TensorFlow and RetinaNet.

train/_annotations.csv    filename, width, height, class, xmin, ymin, xmax, ymax   likewise valid/ and test/
train/a.jpg

train/_annotations.csv    a.jpg,4,8,14,28,papule    RetinaNet: without a line of names

The table may have any name and lie anywhere above its photos. Boxes may also be a corner or a centre and a
size, and shares of the picture's sides. A row without a box says that there is none; but not if it names a
lesion, whose box is then unknown.
"""

import dataclasses
import posixpath
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.core.images import is_image_name
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import number, numbers, split_of
from anonderm.ingest.sources.table_files import (
    TABLE_SUFFIXES,
    cell_text,
    class_text,
    head_columns,
    read_table,
)

ANY_KIND = "lesion"
"""Where no column names the kind."""

_NO_LESION = re.compile(
    r"(?:no|none|without|background|normal|healthy|negative|clear|clean|null|na|empty)(?:[\s_-]*"
    r"(?:findings?|lesions?|acne|objects?|box|boxes|annotations?|skin|face))?",
    re.IGNORECASE,
)
"""A class that says that there is no lesion."""

BoxForm = Callable[[str, float, float, float, float], Lesion]

_SUFFIXES = (".csv", ".tsv", ".jsonl")  # of the tables that are looked for in a folder
_FILE = (
    "filename",
    "file_name",
    "file",
    "image",
    "image_name",
    "image_path",
    "path",
    "img",
    "image_id",
    "imageid",
)
_KIND = (
    *("class", "class_name", "label", "label_name", "labelname", "category", "category_name"),
    *("name", "lesion", "kind"),
)
_CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x_min", "y_min", "x_max", "y_max"), ("x1", "y1", "x2", "y2"))
_CORNER_AND_SIZE = (
    ("bbox_x", "bbox_y", "bbox_width", "bbox_height"),
    ("bbox_x", "bbox_y", "bbox_w", "bbox_h"),
    ("x", "y", "w", "h"),
    ("left", "top", "width", "height"),
)
_CENTRE_AND_SIZE = (
    ("x_center", "y_center", "width", "height"),
    ("xcenter", "ycenter", "width", "height"),
    ("cx", "cy", "w", "h"),
)
_RETINANET = ("file", "x1", "y1", "x2", "y2", "class")
_SIZE = (("width", "height"), ("image_width", "image_height"), ("img_width", "img_height"))
_FORMS: tuple[tuple[tuple[tuple[str, ...], ...], BoxForm], ...] = (
    (_CORNERS, Lesion),
    (_CENTRE_AND_SIZE, Lesion.from_centre),
    (_CORNER_AND_SIZE, Lesion.from_corner),
)
_PLACE = re.compile(r"(bbox_?|box_?)?(?:c?([xy])|([xy])_?(?:min|max|[012]|cent(?:er|re))|left|top|bbox)")


@dataclasses.dataclass(frozen=True)
class Columns:
    """The names of the columns; `lesion` makes one of its kind and the numbers in `sides`."""

    file: str
    kind: str | None
    sides: tuple[str, ...]
    lesion: BoxForm
    size: tuple[str, ...] = ()


def fits_file(source: Path) -> bool:
    is_table = source.is_file() and source.suffix.lower() in TABLE_SUFFIXES
    return is_table and _is_table(source)


def fits(listing: Listing) -> bool:
    return bool(_tables(listing))


def _tables(listing: Listing) -> list[str]:
    return [name for name in listing.with_suffix(*_SUFFIXES) if _is_table(listing.files[name])]


def _is_table(path: Path) -> bool:
    columns = head_columns(path)
    return box_columns(columns) is not None or _is_row(columns)


def _is_row(words: tuple[str, ...]) -> bool:
    """Whether this is a row of RetinaNet's tables, which do not name their columns."""
    sides = words[1:5]
    is_box = numbers(sides, 4) is not None and bool(words[5:]) and not numbers(words[5:6])
    return len(words) == len(_RETINANET) and is_image_name(words[0]) and (is_box or not any(words[1:]))


def box_columns(names: tuple[str, ...]) -> Columns | None:
    """The columns of a table of boxes; None for another table."""
    lower = {name.lower().replace(" ", "_"): name for name in reversed(names)}
    file, kind = (next((lower[name] for name in known if name in lower), None) for known in (_FILE, _KIND))
    for groups, lesion in _FORMS:
        for sides in groups:
            if file and set(sides) <= lower.keys():
                size = next((group for group in _SIZE if set(group) <= lower.keys() - set(sides)), ())
                return Columns(
                    file,
                    kind,
                    tuple(lower[name] for name in sides),
                    lesion,
                    tuple(lower[name] for name in size),
                )
    return None


def refuse_unread_boxes(names: tuple[str, ...], path: Path) -> None:
    """Raises InputError for a table of photos whose columns state places on them that nothing reads."""
    places = [name for name in names if _PLACE.fullmatch(name.lower().replace(" ", "_"))]
    if len(places) > 1:
        raise InputError(
            f"{path}: its columns {', '.join(places)} look like boxes, and would not be read.",
            "Name them xmin, ymin, xmax, ymax (pixels or shares); left, top, width, height; or x_center, "
            "y_center, width, height. Or remove them.",
        )


def find(config: IngestConfig) -> Found:
    """Raises InputError for a table that is none of boxes."""
    if config.source.is_file():
        listing, tables = Listing(config.source.absolute().parent), [config.source.name]
    else:
        listing = Listing(config.source)
        tables = _tables(listing)
    for table in tables:
        listing.photos += _photos(listing, table)
    return listing.found_by_roboflow(tables)


def _photos(listing: Listing, file: str) -> list[Photo]:
    path = listing.files[file]
    table = read_table(path, _RETINANET if _is_row(head_columns(path)) else ())
    columns = box_columns(table.columns)
    if columns is None:
        raise InputError(
            f"{path}: no columns of boxes (its columns: {', '.join(table.columns)}).",
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
    sides = [
        side for each in boxes.values() for box in each or () for side in (box.x0, box.y0, box.x1, box.y1)
    ]
    if sides and max(sides) <= 1:  # no lesion is smaller than a pixel: shares of the sides
        sizes = dict.fromkeys(sizes, (1.0, 1.0))
    return [
        dataclasses.replace(listing.photo(name).with_boxes(found, sizes[name]), split=split_of(name))
        for name, found in boxes.items()
    ]


def _lesion(row: Mapping[str, Any], columns: Columns) -> Lesion | str | None:
    """The box of a row; None for a row without one; or what is wrong with it."""
    words = [cell_text(row.get(side)) for side in columns.sides]
    kind = class_text(row.get(columns.kind)) if columns.kind else ANY_KIND
    if not any(words):
        none = not columns.kind or not kind or _NO_LESION.fullmatch(kind)
        return None if none else f"no box of a {kind[:40]}"
    sides = [value for word in words if (value := number(word.replace(",", "."))) is not None]
    if len(sides) < len(words) or not kind:
        return f"not a box and its class: {', '.join([kind, *words])[:80]!r}"
    return columns.lesion(kind, sides[0], sides[1], sides[2], sides[3])


def _size(row: Mapping[str, Any], columns: Columns) -> tuple[float, float] | None:
    values = [number(cell_text(row.get(name))) for name in columns.size]
    return (values[0], values[1]) if len(values) == 2 and values[0] and values[1] else None
