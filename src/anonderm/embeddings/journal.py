"""Descriptors of pictures, worked out once by several processes and kept line by line against kills."""

from __future__ import annotations

import json
import logging
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import StorageError
from anonderm.core.files import append_line, read_json_lines, storage_errors
from anonderm.core.progress import Bar
from anonderm.core.workers import in_order

Row = NDArray[np.float32]
T = TypeVar("T")

_FEW = 16  # pictures that are not worth starting more processes

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Journal:
    """Rows by the stamp of what they describe; `path` is JSON lines, the rows as base64 of float32.

    A path that cannot be written is only not used for keeping, unless it `must_keep`.
    """

    path: Path
    must_keep: bool = True

    def rows(
        self,
        items: Sequence[T],
        stamps: Sequence[str],
        start: Callable[[], Callable[[T], Row | None]],
        bar: Bar,
        processes: int | None = None,
    ) -> list[Row | None]:
        """A row for each item, None where what `start` makes gives none.

        A stamp says which item it is, and changes when the item does; those that the journal knows are not
        looked at again. `start` and items must be picklable. Raises what the function raises, ProcessLost,
        and StorageError.
        """
        known = {row["stamp"]: row["descriptor"] for row in read_json_lines(self.path)}
        todo = {stamp: item for stamp, item in zip(stamps, items, strict=True) if stamp not in known}
        bar.advance(len(items) - len(todo))
        writable = True
        few = 1 if len(todo) <= _FEW else processes
        for stamp, row in zip(todo, in_order(start, todo.values(), few), strict=True):
            known[stamp] = None if row is None else b64encode(row.astype(np.float32).tobytes()).decode()
            writable = writable and self._kept(stamp, known[stamp])
            bar.advance()
        return [_decoded(known[stamp]) for stamp in stamps]

    def _kept(self, stamp: str, text: str | None) -> bool:
        """Whether the disk took it."""
        try:
            with storage_errors(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            append_line(self.path, json.dumps({"stamp": stamp, "descriptor": text}, ensure_ascii=False))
        except StorageError as error:
            if self.must_keep:
                raise
            _log.warning("descriptors are not kept: %s", error.message)
            return False
        return True


def _decoded(text: str | None) -> Row | None:
    return None if text is None else np.frombuffer(b64decode(text), np.float32)
