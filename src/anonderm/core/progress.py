"""Progress on stderr: a bar in a terminal, elsewhere a line every 15 seconds."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

_SECONDS_BETWEEN_LINES = 15.0


def duration(seconds: float) -> str:
    """`4.2 s`, `51 s`, `12 min` or `3.5 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


class Bar(Protocol):
    """The progress of a task: call `advance` after each unit; `note` is shown beside the bar."""

    def advance(self, units: float = 1, note: str = "") -> None: ...


@contextmanager
def bar(description: str, total: float | None, done: float = 0) -> Iterator[Bar]:
    """A progress bar on stderr; an earlier run completed `done` of the units."""
    if sys.stderr.isatty():
        with _terminal_bar(description, total, done) as terminal:
            yield terminal
    else:
        yield _LineBar(description, total, done)


@contextmanager
def _terminal_bar(description: str, total: float | None, done: float) -> Iterator[Bar]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("  {task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(description, total=total, note="")
        progress.update(task, completed=done)

        class TerminalBar:
            def advance(self, units: float = 1, note: str = "") -> None:
                progress.update(task, advance=units, note=note)

        yield TerminalBar()


class _LineBar:
    def __init__(self, description: str, total: float | None, done: float) -> None:
        self._description, self._total = description, total
        self._done = self._done_before = done
        self._start = self._last_line = time.monotonic()

    def advance(self, units: float = 1, note: str = "") -> None:
        self._done += units
        now = time.monotonic()
        if now - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = now
            print(f"  {self._description}: {self._state(now)} {note}".rstrip(), file=sys.stderr, flush=True)

    def _state(self, now: float) -> str:
        if not self._total:
            return f"{self._done:g}"
        speed = (self._done - self._done_before) / (now - self._start)
        left = timedelta(seconds=round((self._total - self._done) / speed)) if speed > 0 else "unknown time"
        return f"{self._done:g} of {self._total:g} ({self._done / self._total:.0%}), {left} left"
