"""What the layouts with boxes of lesions share: class lists, and boxes that must be numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from anonderm.core.records import Lesion
from anonderm.ingest.sources.tree import read_lines


def read_class_names(path: Path) -> tuple[str, ...]:
    """A name a line, as in _classes.txt. Raises InputError."""
    return tuple(line for _, line in read_lines(path))


def class_name(number: str, names: Sequence[str]) -> str | None:
    """The class with this number from 0; where no names are known the number itself; None out of range."""
    if not number.isdecimal() or not number.isascii() or len(number) > 9:
        return None
    if not names:
        return number
    return names[int(number)] if int(number) < len(names) else None


def numbers(words: Sequence[object]) -> list[float] | None:
    """Finite numbers; None where one is not."""
    try:
        values = [float(word) for word in words]  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return values if all(map(math.isfinite, values)) else None


def from_corner(kind: str, left: float, top: float, width: float, height: float) -> Lesion:
    return Lesion(kind, left, top, left + width, top + height)


def from_centre(kind: str, x: float, y: float, width: float, height: float) -> Lesion:
    return from_corner(kind, x - width / 2, y - height / 2, width, height)


def kinds(lesions: Sequence[Lesion]) -> tuple[str, ...]:
    """The distinct kinds, in alphabetical order."""
    return tuple(sorted({lesion.kind for lesion in lesions}))
