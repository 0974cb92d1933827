from __future__ import annotations

import threading
import time

import pytest

from anonderm.core.parallel import in_threads


def test_results_come_in_the_order_of_the_items():
    def slow_at_first(item: int) -> int:
        time.sleep(0.002 * (item < 3))
        return item * item

    assert list(in_threads(slow_at_first, range(50))) == [item * item for item in range(50)]


def test_only_a_few_items_are_computed_ahead():
    started: list[int] = []
    results = in_threads(lambda item: started.append(item), range(1000))
    next(results)
    assert len(started) <= 20
    results.close()
    assert len(started) <= 40


def test_an_error_comes_after_the_results_before_it_and_stops_the_rest():
    def bad_at_five(item: int) -> int:
        if item == 5:
            raise ValueError("five")
        return item

    received: list[int] = []
    with pytest.raises(ValueError, match="five"):
        received.extend(in_threads(bad_at_five, range(1000)))
    assert received == [0, 1, 2, 3, 4]


def test_no_thread_is_left_when_the_consumer_stops():
    before = threading.active_count()
    results = in_threads(lambda item: item, range(100))
    next(results)
    results.close()
    assert threading.active_count() == before
