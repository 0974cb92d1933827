"""Paths of this machine are taken out of whatever a release repeats: they name people and places."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from anonderm.core.records import Scores
from anonderm.core.results.base import Score

_GONE = "(a path)"
# An absolute path with at least two parts; `singling_out[dlib]/FMR 1%` and `and/or` are none.
_PATH = re.compile(r"(?<![\w\])~.])(?:[A-Za-z]:)?[\\/](?:[\w.~@+-]+[\\/])+[\w.~@+-]*")
_HOME = re.compile(r"(?<!\w)~(?:[\\/][\w.@+-]+)+")


def without_paths(scores: Scores) -> Scores:
    """The same Scores, with every path in its texts replaced."""
    cleaned = {
        name: Score(s.value, s.low, s.high, s.n, s.higher_is_better, _clean(s.note))
        for name, s in scores.scores.items()
    }
    return Scores(cleaned, _clean_all(scores.details))


def _clean_all(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {key: _clean_all(each) for key, each in value.items()}
    return [_clean_all(each) for each in value] if isinstance(value, list | tuple) else value


def _clean(text: str) -> str:
    home = str(Path.home())
    known = text.replace(home, "~") if len(home) > 1 else text
    return _HOME.sub(_GONE, _PATH.sub(_GONE, known))
