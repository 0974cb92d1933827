"""Paths of this machine are taken out of whatever a release repeats: they name people and places."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, TypeVar

from anonderm.core.records import Scores
from anonderm.core.results.base import Result

AnyResult = TypeVar("AnyResult", bound=Scores | Result)

_GONE = "(a path)"
# An absolute path with at least two parts; `singling_out[dlib]/FMR 1%` and `and/or` are none.
_PATH = re.compile(r"(?<![\w\])~.])(?:[A-Za-z]:)?[\\/](?:[\w.~@+-]+[\\/])+[\w.~@+-]*")
_HOME = re.compile(r"(?<!\w)~(?:[\\/][\w.@+-]+)+")


def without_paths(result: AnyResult) -> AnyResult:
    """The same result, with every path in its texts replaced."""
    cleaned: AnyResult = _clean_all(result)
    return cleaned


def _clean_all(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return dataclasses.replace(value, **_clean_all(fields))
    if isinstance(value, dict):
        return {key: _clean_all(each) for key, each in value.items()}
    return type(value)(map(_clean_all, value)) if isinstance(value, list | tuple) else value


def _clean(text: str) -> str:
    home = str(Path.home())
    known = text.replace(home, "~") if len(home) > 1 else text
    return _HOME.sub(_GONE, _PATH.sub(_GONE, known))
