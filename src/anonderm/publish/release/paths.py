"""Paths of this machine are removed from every text of a release: they can name people and places."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

_REMOVED = "(a path)"
# An absolute path with at least two parts; `singling_out[dlib]/FMR 1%` and `and/or` are none.
_PATH = re.compile(r"(?<![\w\])~.])(?:[A-Za-z]:)?[\\/](?:[\w.~@+-]+[\\/])+[\w.~@+-]*")
_HOME = re.compile(r"(?<!\w)~(?:[\\/][\w.@+-]+)+")


def without_paths(value: Any) -> Any:
    """The same result, with every path in its texts replaced."""
    if isinstance(value, str):
        return _without_paths(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: without_paths(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
        return dataclasses.replace(value, **fields)
    if isinstance(value, dict):
        return {key: without_paths(each) for key, each in value.items()}
    return type(value)(without_paths(each) for each in value) if isinstance(value, list | tuple) else value


def _without_paths(text: str) -> str:
    home = str(Path.home())
    known = text.replace(home, "~") if len(home) > 1 else text
    return _HOME.sub(_REMOVED, _PATH.sub(_REMOVED, known))
