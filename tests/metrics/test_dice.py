"""Dice and intersection over union, against the definitions and an independent program."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, jaccard_score

from anonderm.metrics.confusion import IGNORED, Agreement

MAPS = arrays(np.uint8, (6, 5), elements=st.integers(0, 1))


def agreement(truth, found) -> Agreement:
    made = Agreement(("background", "skin"))
    made.add(truth, found)
    return made


def test_half_an_overlap():
    truth, found = np.array([[1, 1, 0, 0]]), np.array([[0, 1, 1, 0]])
    made = agreement(truth, found)
    assert made.dice == {"background": 0.5, "skin": 0.5}
    assert made.iou == pytest.approx({"background": 1 / 3, "skin": 1 / 3})
    assert made.mean_dice == 0.5


@settings(max_examples=25)
@given(MAPS, MAPS)
def test_they_are_the_f1_and_jaccard_scores_of_pixels(truth, found):
    made = agreement(truth, found)
    for index, name in enumerate(("background", "skin")):
        if name in made.dice:
            options = {"labels": [index], "average": "macro", "zero_division": 0}
            assert made.dice[name] == pytest.approx(f1_score(truth.ravel(), found.ravel(), **options))
            assert made.iou[name] == pytest.approx(jaccard_score(truth.ravel(), found.ravel(), **options))
        else:
            assert index not in truth
            assert index not in found


@given(MAPS, MAPS)
def test_dice_follows_from_iou(truth, found):
    made = agreement(truth, found)
    for name, iou in made.iou.items():
        assert made.dice[name] == pytest.approx(2 * iou / (1 + iou))


def test_ignored_pixels_do_not_count():
    truth = np.array([[1, 0, IGNORED, IGNORED]], np.uint8)
    assert agreement(truth, np.array([[1, 0, 1, 0]])).mean_dice == 1.0


def test_photos_add_up():
    rng = np.random.default_rng(0)
    truth, found = rng.integers(0, 2, (2, 4, 8, 8))
    added = Agreement(("background", "skin"))
    for one, other in zip(truth, found, strict=True):
        added.add(one, other)
    assert added.dice == agreement(truth, found).dice
