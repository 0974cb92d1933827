from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.records import Lesion, order_labels


def test_labels_are_ordered_by_severity_then_alphabetically():
    found = order_labels(["severe", "rosacea", "mild", "healthy", "mild", "eczema"])
    assert found == ("healthy", "mild", "severe", "eczema", "rosacea")


@given(st.lists(st.text()))
def test_the_order_of_labels_does_not_depend_on_the_order_given(labels):
    assert order_labels(labels) == order_labels(reversed(labels))
    assert set(order_labels(labels)) == set(labels)


def test_a_box_is_the_same_from_its_corner_and_from_its_centre() -> None:
    box = Lesion.from_corner("papule", 10, 20, 4, 6)
    assert box == Lesion("papule", 10, 20, 14, 26) == Lesion.from_centre("papule", *box.centre, 4, 6)
    assert (box.width, box.height, box.centre) == (4, 6, (12, 23))
