"""Boxes in a table of photos: the column `objects` of Hugging Face's data sets.

{"bbox": [[4, 8, 10, 20], ...], "categories": ["papule", ...]}     left, top, width and height in pixels
[{"bbox": [4, 8, 10, 20], "category": "papule"}, ...]              the same, object by object

The two lists may also be columns of the table. An empty list means that there are no lesions.
"""

import json
from collections.abc import Mapping
from typing import Any

from anonderm.core.records import Lesion
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Photo
from anonderm.ingest.sources.reading import numbers
from anonderm.ingest.sources.table_files import class_text

_COLUMNS = ("objects", "annotations")
_BOXES = ("bbox", "bboxes")
OBJECT_COLUMNS = (*_COLUMNS, *_BOXES, "width", "height")
"""Columns of boxes, and the usual ones beside them."""

_KINDS = (
    *("category", "categories", "category_name", "class_name", "name", "names"),
    *("label", "labels", "class", "classes", "category_id", "category_ids"),
)


def with_objects(listing: Listing, photo: Photo, row: Mapping[str, Any]) -> Photo:
    """The photo with the boxes in a row of its table; they are unknown if one cannot be read."""
    objects = next((row[name] for name in _COLUMNS if row.get(name) not in (None, "")), None)
    if objects is None and any(row.get(name) not in (None, "") for name in _BOXES):
        objects = row
    if objects is None:
        return photo
    pairs = _boxes_and_kinds(_parsed(objects))
    if pairs is None:
        reason = "its objects are not boxes [left, top, width, height], each with its category"
        listing.skip(photo.name, reason, "box unusable")
        return photo
    lesions: list[Lesion] | None = []
    for index, (box, kind) in enumerate(pairs):
        sides = numbers(_parsed(box), 4)
        if sides is None or not class_text(kind):
            listing.skip(photo.name, f"object {index} has no box, or no category", "box unusable")
            lesions = None
        elif lesions is not None:
            lesions.append(Lesion.from_corner(class_text(kind), *sides))
    return photo.with_boxes(lesions)


def _parsed(value: Any) -> Any:
    """The value, or that of the JSON in a cell of CSV."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return None


def _boxes_and_kinds(objects: Any) -> list[tuple[Any, Any]] | None:
    """The boxes and their categories, of two lists or of a list of objects; None for anything else."""
    if isinstance(objects, list):
        rows = [each for each in objects if isinstance(each, dict)]
        return [(_first(each, _BOXES), _first(each, _KINDS)) for each in rows] if rows == objects else None
    if not isinstance(objects, Mapping):
        return None
    boxes, kinds = _parsed(_first(objects, _BOXES)), _first_list(objects)
    if not isinstance(boxes, list) or len(boxes) != len(kinds):
        return None
    return list(zip(boxes, kinds, strict=True))


def _first(row: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _first_list(row: Mapping[str, Any]) -> list[Any]:
    found = (
        _parsed(row[name]) if isinstance(row[name], str) else row[name] for name in _KINDS if name in row
    )
    return next((each for each in found if isinstance(each, list)), [])
