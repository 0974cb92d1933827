"""Reading label files: text, JSON and their values, with the same errors for every layout."""

import math
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anonderm.core.documents import parse_json, read_text
from anonderm.core.errors import InputError

_CLASS_NUMBER = re.compile(r"([0-9]{1,9})(?:\.0*)?")
_SPLIT_NAMES = {
    "train": ("train", "training", "trainval"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
_YEAR = re.compile(r"(?<=[a-z])(19|20)\d\d$")
_SPLITS = {name: split for split, names in _SPLIT_NAMES.items() for name in names}


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1. Raises InputError."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def read_json_object(path: Path) -> dict[str, Any]:
    """Raises InputError."""
    return as_object(parse_json(read_text(path), str(path)), str(path))


def as_object(content: Any, where: str) -> dict[str, Any]:
    """Raises InputError for anything but a JSON object."""
    if not isinstance(content, dict):
        raise InputError(f"{where}: not a JSON object.", "Download or export it again.")
    return content


def read_split(word: str) -> str | None:
    """train, val or test for the usual words in any case, also with a year: train2017."""
    return _SPLITS.get(_YEAR.sub("", word.strip().lower()).removeprefix("partial-"))


def split_of(name: str) -> str | None:
    """The split after which a folder in this path is named: train, val or test."""
    found = (read_split(part) for part in posixpath.dirname(name).split("/"))
    return next(filter(None, found), None)


def split_of_file(name: str) -> str | None:
    """The split after which a file is named: instances_val.json, autosplit_train.txt."""
    words = re.split(r"[^a-z]+", posixpath.splitext(posixpath.basename(name))[0].lower())
    return next(filter(None, map(read_split, words)), None)


def class_name(number: str, names: Sequence[str], count: int | None = None) -> str | None:
    """The class with this number from 0, also written 1.0, or None; the number itself if there are no names.

    count: the number of classes without names, where it is known.
    """
    match = _CLASS_NUMBER.fullmatch(number)
    if match is None:
        return None
    index = int(match[1])
    if not names:
        return str(index) if count is None or index < count else None
    return names[index] if index < len(names) else None


def number(value: object) -> float | None:
    """A finite number, also written as text; None for anything else."""
    found = numbers([value])
    return found[0] if found and not isinstance(value, bool) else None


def numbers(values: object, count: int | None = None) -> list[float] | None:
    """A list of finite numbers, of this length if one is given; None for anything else."""
    if not isinstance(values, list | tuple) or (count is not None and len(values) != count):
        return None
    try:
        found = [float(value) for value in values]
    except (TypeError, ValueError, OverflowError):
        return None
    return found if all(map(math.isfinite, found)) else None
