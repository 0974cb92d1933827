import math
import os
from functools import partial

import pytest

from anonderm.core.errors import ProcessLost
from anonderm.core.parallel import in_processes


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_items(processes):
    assert list(in_processes(partial(partial, pow, 2), range(12), processes)) == [2**n for n in range(12)]


@pytest.mark.parametrize("processes", [1, 2])
def test_an_error_comes_after_the_results_before_it(processes):
    results = in_processes(partial(partial, math.sqrt), [4.0, 9.0, -1.0, 16.0], processes)
    assert [next(results), next(results)] == [2.0, 3.0]
    with pytest.raises(ValueError, match=r"math domain error|nonnegative"):
        next(results)


def test_a_process_that_dies_raises_process_lost():
    with pytest.raises(ProcessLost, match="worker process died"):
        list(in_processes(partial(partial, os._exit), [1], 2))


def test_only_a_few_items_are_taken_ahead():
    taken = []
    items = (taken.append(n) or n for n in range(100))
    results = in_processes(partial(partial, pow, 2), items, 2)
    next(results)
    assert len(taken) <= 6
    results.close()
