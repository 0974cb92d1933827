"""A stop that waits for the end of the step, so that nothing is lost."""

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
    """Whether the user, or the system, has asked this process to end."""

    asked: bool = False


@contextmanager
def deferred_stop() -> Iterator[Stop]:
    """Within, the first SIGTERM or Ctrl-C only sets `asked`; a second one raises KeyboardInterrupt at once.

    Outside the main thread, where Python lets nobody handle signals, nothing changes.
    """
    stop = Stop()

    def ask(_number: int, _frame: Any) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    earlier = {number: signal.signal(number, ask) for number in _SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in earlier.items():
            signal.signal(number, handler)
