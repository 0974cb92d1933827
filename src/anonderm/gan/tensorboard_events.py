"""TensorBoard event files. TensorBoard's own writer puts the name of the machine into the file name."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

_VERSION = "brain.Event:2"


class EventFile:
    """An event file named after its first step; it overrides later steps in older files."""

    def __init__(self, folder: Path, first_step: int) -> None:
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"events.out.tfevents.{first_step:012d}"
        self._file = path.open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(file_version=_VERSION))
        if first_step:
            self._write(Event(step=first_step + 1, session_log=SessionLog(status=SessionLog.START)))

    def add(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write one point of each curve."""
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary

        values = [Summary.Value(tag=name, simple_value=value) for name, value in numbers.items()]
        self._write(Event(step=step, summary=Summary(value=values)))
        self._records.flush()

    def _write(self, event: object) -> None:
        event.wall_time = time.time()  # type: ignore[attr-defined]
        self._records.write(event.SerializeToString())  # type: ignore[attr-defined]

    def close(self) -> None:
        self._records.close()
