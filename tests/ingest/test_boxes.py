from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.records import Lesion
from anonderm.ingest.checks import Check, boxes_in_pixels, drop_duplicates
from anonderm.ingest.sources.photo import File, Photo

SIDE = st.floats(-1e6, 1e6) | st.floats(-0.5, 1.5)


def settle(*boxes, boxes_in=None, width=100, height=50):
    lesions = tuple(Lesion("papule", *box) for box in boxes)
    photo = Photo("a.jpg", File(Path("a.jpg")), lesions=lesions, boxes_in=boxes_in)
    (check,), lost = boxes_in_pixels([Check(photo, width, height)])
    known = check.photo.lesions
    shown = known and [(each.x0, each.y0, each.x1, each.y1) for each in known]
    return shown, [item.reason for item in lost]


def test_pixels_stay_as_they_are():
    assert settle((10, 20, 30, 40)) == ([(10, 20, 30, 40)], [])


def test_shares_and_other_sizes_become_pixels():
    assert settle((0.1, 0.2, 0.3, 0.4), boxes_in=(1, 1))[0] == [pytest.approx((10, 10, 30, 20))]
    assert settle((20, 40, 60, 80), boxes_in=(200, 100))[0] == [pytest.approx((10, 20, 30, 40))]


def test_a_box_that_reaches_out_is_cut_and_one_outside_is_problems():
    assert settle((90, 0, 105, 10)) == ([(90, 0, 100, 10)], [])
    shown, problems = settle((95, 0, 120, 10), (200, 0, 210, 10), (10, 10, 10, 20), (20, 0, 10, 9))
    assert shown is None
    assert problems[0] == "the box of a papule (95,0 to 120,10) lies outside the photo or has no area"
    assert len(problems) == 4


def test_boxes_of_a_picture_that_was_turned_since_are_left_out():
    shown, problems = settle((10, 20, 30, 40), boxes_in=(50, 100))
    assert shown is None
    assert problems == ["1 boxes refer to a picture of 50 x 100 pixels, but it has 100 x 50"]


@given(st.lists(st.tuples(SIDE, SIDE, SIDE, SIDE), max_size=4), st.none() | st.just((1, 1)))
def test_all_boxes_are_kept_inside_or_they_are_unknown_and_the_fault_is_listed(boxes, boxes_in):
    shown, problems = settle(*boxes, boxes_in=boxes_in)
    assert (shown is None) == bool(problems)
    if shown is not None:
        assert len(shown) == len(boxes)
        assert all(0 <= x0 < x1 <= 100 and 0 <= y0 < y1 <= 50 for x0, y0, x1, y1 in shown)


def copies(*states):
    """Checks of one picture, in which these kinds of lesions are stated."""
    for number, kinds in enumerate(states):
        photo = Photo(f"{number}.jpg", File(Path("a.jpg")))
        boxes = None if kinds is None else [Lesion(kind, 0, 0, 9, 9) for kind in kinds]
        yield Check(photo.with_boxes(boxes), 10, 10, pixels="same")


@pytest.mark.parametrize(
    ("states", "expected", "noted"),
    [
        ((None, ()), (), False),
        ((("papule",), None), ("papule",), False),
        (((), ("papule",)), None, True),
        ((("papule",), ("papule", "papule")), None, True),
        ((("papule", "nodule"), ("nodule", "papule")), ("papule", "nodule"), False),
        ((None, None), None, False),
    ],
)
def test_the_lesions_of_the_same_picture_are_those_that_its_copies_agree_on(states, expected, noted):
    (kept,), skipped = drop_duplicates(list(copies(*states)))
    lesions = kept.photo.lesions
    assert (None if lesions is None else tuple(each.kind for each in lesions)) == expected
    assert ["box unusable" for item in skipped if "other lesions" in item.reason] == ["box unusable"] * noted
    assert len(skipped) == 1 + noted
