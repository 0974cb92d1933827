"""Values in label files: numbers, class numbers, splits and cells of tables."""

from __future__ import annotations

import math
import posixpath
from collections.abc import Sequence
from typing import Any

from anonderm.core.records import Lesion

_SPLIT_NAMES = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
_SPLITS = {name: split for split, names in _SPLIT_NAMES.items() for name in names}


def read_split(word: str) -> str | None:
    """train, val or test for the usual words in any case."""
    return _SPLITS.get(word.strip().lower())


def split_of(name: str) -> str | None:
    """The split after which a folder in this path is named: train, val or test."""
    found = [_SPLITS[part.lower()] for part in posixpath.dirname(name).split("/") if part.lower() in _SPLITS]
    return found[0] if found else None


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
