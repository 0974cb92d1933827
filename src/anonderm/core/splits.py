"""Train, validation and test, by person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np


def assign_splits(
    subjects: Sequence[str],
    labels: Sequence[str],
    val_share: float,
    test_share: float,
    rng: np.random.Generator,
) -> dict[str, str]:
    """The split ("train", "val" or "test") of each person.

    subjects, labels: one entry a photo. People are drawn class by class; a person with photos of several
    classes counts for the one most of them show. The shares hold within one person of each class. Where a
    share is above zero, a class of two people or more has someone in test, one of three or more also in val.
    Does not depend on the order of the photos.
    """
    shown: dict[str, Counter[str]] = defaultdict(Counter)
    for subject, label in zip(subjects, labels, strict=True):
        shown[subject][label] += 1
    people: dict[str, list[str]] = defaultdict(list)
    for subject, counts in sorted(shown.items()):
        people[max(sorted(counts), key=counts.__getitem__)].append(subject)

    splits: dict[str, str] = {}
    for _, members in sorted(people.items()):
        test, val = _sizes(len(members), val_share, test_share)
        drawn = [members[index] for index in rng.permutation(len(members))]
        splits |= dict.fromkeys(drawn[:test], "test")
        splits |= dict.fromkeys(drawn[test : test + val], "val")
        splits |= dict.fromkeys(drawn[test + val :], "train")
    return splits


def _sizes(people: int, val_share: float, test_share: float) -> tuple[int, int]:
    """How many of a class's people go to test and to val; at least one stays in train."""
    test = min(max(round(people * test_share), int(test_share > 0)), people - 1)
    val = min(max(round(people * val_share), int(val_share > 0)), people - 1 - test)
    return test, val
