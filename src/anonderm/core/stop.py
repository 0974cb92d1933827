"""Defer SIGTERM and Ctrl-C to the end of a step, so that no work is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass
class Stop:
    """Whether the user or the system has requested that this process end."""

    requested: bool = False


@contextmanager
def deferred_stop() -> Iterator[Stop]:
    """Within, the first SIGTERM or Ctrl-C only sets `requested`; a second one raises KeyboardInterrupt.

    Outside the main thread, where Python does not allow signal handlers, nothing changes.
    """
    stop = Stop()

    def handle(_number: int, _frame: Any) -> None:
        if stop.requested:
            raise KeyboardInterrupt
        stop.requested = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    previous = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
