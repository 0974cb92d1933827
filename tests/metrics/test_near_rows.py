from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.core.errors import TooFewImages
from anonderm.metrics import near_rows
from anonderm.metrics.near_rows import nearest_other_person, repeats


def slow_nearest_other_person(query, reference, subjects):
    result = []
    for row, subject in zip(query, subjects, strict=True):
        pairs = zip(reference, subjects, strict=True)
        result.append(min(np.linalg.norm(row - other) for other, who in pairs if who != subject))
    return result


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(2, 6))
def test_nearest_other_person_equals_the_plain_search(seed, people):
    rng = np.random.default_rng(seed)
    rows, reference = rng.normal(size=(2, 14, 3)).astype(np.float32)
    subjects = ["p0", "p1", *(f"p{index}" for index in rng.integers(0, people, 12))]
    found = nearest_other_person(rows, reference, subjects)
    np.testing.assert_allclose(found, slow_nearest_other_person(rows, reference, subjects), rtol=1e-4)


def test_photos_of_one_person_alone_are_too_few():
    with pytest.raises(TooFewImages, match="two people or more; there are 1"):
        nearest_other_person(np.zeros((4, 2)), np.zeros((4, 2)), ["anna"] * 4)


def slow_repeats(rows, limit):
    kept, found = [], {}
    for index, row in enumerate(rows):
        near = [(earlier, np.linalg.norm(row - rows[earlier])) for earlier in kept]
        near = [pair for pair in near if pair[1] < limit]
        if near:
            found[index] = near[0]
        else:
            kept.append(index)
    return found


@settings(deadline=None)
@given(st.integers(0, 1000), st.integers(1, 7))
def test_repeats_equals_the_plain_search_whatever_the_block(seed, block):
    rows = np.random.default_rng(seed).normal(size=(30, 2)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(near_rows, "_BLOCK_ROWS", block)
        found = repeats(rows, 0.5)
    expected = slow_repeats(rows, 0.5)
    assert {row: earlier for row, (earlier, _) in found.items()} == {
        row: earlier for row, (earlier, _) in expected.items()
    }


def test_a_chain_of_neighbours_keeps_every_second():
    rows = np.arange(5, dtype=np.float32)[:, None]
    assert set(repeats(rows, 1.5)) == {1, 3}
