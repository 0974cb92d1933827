from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.records import order_labels


def test_labels_are_ordered_by_severity_then_alphabetically():
    found = order_labels(["severe", "rosacea", "mild", "healthy", "mild", "eczema"])
    assert found == ("healthy", "mild", "severe", "eczema", "rosacea")


@given(st.lists(st.text()))
def test_the_order_of_labels_does_not_depend_on_the_order_given(labels):
    assert order_labels(labels) == order_labels(reversed(labels))
    assert set(order_labels(labels)) == set(labels)
