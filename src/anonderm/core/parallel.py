"""Pools of threads and of processes that return results in order and keep only a few of them in memory."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from anonderm.core.errors import ProcessLost

T = TypeVar("T")
R = TypeVar("R")

_MOST_THREADS = 8  # each holds large images
_MOST_PROCESSES = 16  # each loads its own models


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`function` of each item, in the order of the items, computed a few items ahead.

    For functions that release the interpreter lock most of the time: Pillow, zlib, hashing, file access. An
    exception of `function` is raised here, after the results of the items before it.
    """
    threads = min(_MOST_THREADS, cores())
    pool = ThreadPoolExecutor(threads)
    try:
        yield from results(lambda item: pool.submit(function, item), items, 2 * threads)
    finally:
        pool.shutdown(cancel_futures=True)


def results(submit: Callable[[T], Future[R]], items: Iterable[T], most: int) -> Iterator[R]:
    """The results in the order of the items, with at most `most` items submitted ahead."""
    ahead: deque[Future[R]] = deque()
    for item in items:
        ahead.append(submit(item))
        if len(ahead) > most:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()


def cores() -> int:
    """The number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_function: Callable[[Any], Any] | None = None


def in_processes(
    start: Callable[[], Callable[[T], R]], items: Iterable[T], processes: int | None = None
) -> Iterator[R]:
    """Apply the function that `start` returns to each item; the results are in the order of the items.

    For functions that hold the interpreter lock. Each process calls `start` once, so it may load models;
    `start`, items and results must be picklable. With one process, the work is done in this one. An exception
    of the function is raised here, after the results of the items before it. Raises ProcessLost when a
    process dies.
    """
    count = min(processes or cores(), _MOST_PROCESSES)
    if count == 1:
        yield from map(start(), items)
        return
    context = multiprocessing.get_context("spawn")  # forking is unsafe next to the threads of torch
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin, initargs=(start,))
    try:
        yield from results(lambda item: pool.submit(_work, item), items, 2 * count)
    except BrokenProcessPool as error:
        raise ProcessLost(
            "A worker process died, perhaps because memory ran out.",
            "Run the same command again to resume; with `taskset -c 0` before it, it uses one process.",
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(start: Callable[[], Callable[[Any], Any]]) -> None:
    global _function
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _function = start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(item: Any) -> Any:
    assert _function is not None  # set by _begin, before any work
    return _function(item)
