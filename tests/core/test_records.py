from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.errors import BrokenArtefact, MissingPath
from anonderm.core.records import Scores, order_labels
from anonderm.core.results.base import Score


def test_labels_are_ordered_by_severity_then_alphabetically():
    found = order_labels(["severe", "rosacea", "mild", "healthy", "mild", "eczema"])
    assert found == ("healthy", "mild", "severe", "eczema", "rosacea")


@given(st.lists(st.text()))
def test_the_order_of_labels_does_not_depend_on_the_order_given(labels):
    assert order_labels(labels) == order_labels(reversed(labels))
    assert set(order_labels(labels)) == set(labels)


def test_scores_come_back_as_they_were(tmp_path):
    scores = Scores(
        {"accuracy": Score(0.9, 0.8, 0.95, 120, True, "95% Wilson"), "n": Score(3)},
        {"confusion": [[1, 2], [3, 4]]},
    )
    scores.save(tmp_path / "scores.json")
    assert Scores.load(tmp_path / "scores.json") == scores


@pytest.mark.parametrize("content", ["[]", "{}", '{"scores": {"a": {"valeu": 1}}, "details": {}}', "{"])
def test_a_file_that_is_no_scores_is_named(tmp_path, content):
    (tmp_path / "scores.json").write_text(content)
    with pytest.raises(BrokenArtefact, match=r"scores\.json"):
        Scores.load(tmp_path / "scores.json")


def test_missing_scores_are_named(tmp_path):
    with pytest.raises(MissingPath, match=r"scores\.json"):
        Scores.load(tmp_path / "scores.json")
