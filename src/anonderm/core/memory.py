"""The completed pieces of work of a run, stored so that an interrupted run does not repeat them.

remembered.jsonl    one line per piece of work: its key, and its value as JSON, with arrays as base64
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from anonderm.core.files import append_line, read_json_lines

FILE = "remembered.jsonl"


class Memory:
    """The pieces of work of one run folder, by key."""

    def __init__(self, folder: Path, file: str = FILE) -> None:
        self._path = folder / file

    @cached_property
    def _known(self) -> dict[str, Any]:
        return {row["key"]: row["value"] for row in read_json_lines(self._path)}

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        return _decoded(self._known[key])

    def remember(self, key: str, make: Callable[[], Any]) -> Any:
        """The result of `make`, or its stored result for this key: JSON values and numpy arrays, nested.

        Values are always returned as read from JSON, with tuples as lists. Raises StorageError.
        """
        if key not in self._known:
            text = json.dumps({"key": key, "value": make()}, default=_encoded, ensure_ascii=False)
            append_line(self._path, text)
            self._known[key] = json.loads(text)["value"]
        return self[key]

    def forget(self) -> None:
        """Delete the file, which a finished run does not need."""
        self._path.unlink(missing_ok=True)


def _encoded(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        data = b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"array": data, "dtype": value.dtype.str, "shape": list(value.shape)}
    raise TypeError(f"{type(value).__name__} cannot be remembered")


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"array", "dtype", "shape"}:
            flat = np.frombuffer(b64decode(value["array"]), np.dtype(value["dtype"]))
            return flat.reshape(value["shape"]).copy()
        return {name: _decoded(each) for name, each in value.items()}
    return [_decoded(each) for each in value] if isinstance(value, list) else value
