from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.core.splits import assign_splits

PHOTOS = st.lists(
    st.tuples(st.integers(0, 30).map(str), st.sampled_from(["healthy", "mild", "severe"])),
    min_size=1,
    max_size=120,
)


def split(photos, val_share=0.15, test_share=0.2, seed=0):
    subjects, labels = zip(*photos, strict=True)
    return assign_splits(subjects, labels, val_share, test_share, np.random.default_rng(seed))


def one_class(people: int) -> list[tuple[str, str]]:
    return [(f"p{index}", "mild") for index in range(people)]


@settings(deadline=None)
@given(PHOTOS)
def test_every_person_lies_in_exactly_one_split(photos):
    splits = split(photos)
    assert set(splits) == {subject for subject, _ in photos}
    assert set(splits.values()) <= {"train", "val", "test"}


@settings(deadline=None)
@given(PHOTOS, st.randoms(use_true_random=False))
def test_the_order_of_the_photos_does_not_matter(photos, random):
    shuffled = list(photos)
    random.shuffle(shuffled)
    assert split(photos) == split(shuffled)


@settings(deadline=None)
@given(st.integers(4, 200), st.floats(0, 0.4), st.floats(0, 0.4), st.integers(0, 5))
def test_shares_hold_within_one_person(people, val_share, test_share, seed):
    counts = Counter(split(one_class(people), val_share, test_share, seed).values())
    assert abs(counts["test"] - people * test_share) <= 1
    assert abs(counts["val"] - people * val_share) <= 1
    assert counts["train"] >= 1


@settings(deadline=None)
@given(PHOTOS)
def test_each_class_is_stratified_by_its_people(photos):
    photos = [(f"{label}-{subject}", label) for subject, label in photos]
    splits = split(photos)
    for label in {label for _, label in photos}:
        people = {subject for subject, other in photos if other == label}
        in_test = sum(splits[person] == "test" for person in people)
        assert abs(in_test - 0.2 * len(people)) <= 1


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        (1, {"train": 1}),
        (2, {"train": 1, "test": 1}),
        (3, {"train": 1, "test": 1, "val": 1}),
        (20, {"train": 13, "test": 4, "val": 3}),
    ],
)
def test_small_classes_get_someone_in_test_first(people, expected):
    assert Counter(split(one_class(people)).values()) == expected


def test_a_share_of_zero_leaves_the_split_empty():
    assert Counter(split(one_class(10), val_share=0.0).values()) == {"train": 8, "test": 2}


def test_the_seed_changes_who_is_tested():
    assert split(one_class(40), seed=0) != split(one_class(40), seed=1)
    assert split(one_class(40), seed=1) == split(one_class(40), seed=1)


def test_a_person_with_two_classes_counts_for_the_one_most_photos_show():
    photos = [("a", "severe"), ("a", "mild"), ("a", "mild"), ("b", "mild"), ("c", "severe")]
    splits = split(photos, val_share=0.0, test_share=0.5)
    # a and b are the two people of class mild, so one of them is tested; c is alone in her class.
    assert sorted((splits["a"], splits["b"])) == ["test", "train"]
    assert splits["c"] == "train"
