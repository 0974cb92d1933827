"""A thread pool that returns results in order and keeps only a few of them in memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MOST = 8  # threads; each holds large images


def in_order(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`function` of each item, in the order of the items, computed a few items ahead.

    For functions that release the interpreter lock most of the time: Pillow, zlib, hashing, file access. An
    exception of `function` is raised here, after the results of the items before it.
    """
    threads = min(_MOST, cores())
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
