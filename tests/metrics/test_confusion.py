from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from anonderm.metrics.confusion import measures, type_f1
from anonderm.metrics.roc import auc
from anonderm.models.classifier.heads import Corn, MultiLabel, Softmax


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=60))
def test_auc_and_f1_are_those_of_scikit_learn_also_with_ties(pairs: list[tuple[bool, int]]):
    truth = np.array([there for there, _ in pairs], float)
    scores = np.array([score for _, score in pairs], float)
    if 0 < truth.sum() < len(truth):
        assert auc(truth, scores) == pytest.approx(sklearn_metrics.roc_auc_score(truth, scores), abs=1e-9)
        expected = sklearn_metrics.f1_score(truth, scores > 3, zero_division=0)
        assert type_f1(truth, scores > 3) == pytest.approx(expected)
    else:
        assert np.isnan(auc(truth, scores))


def test_grades_are_measured_by_distance_too_and_other_classes_are_not():
    truth, probabilities = np.array([0, 1, 2, 2]), np.eye(3)[[0, 1, 1, 2]]
    graded = measures(truth, Corn(3).predict(probabilities), probabilities, ordered=True)
    assert graded["accuracy"] == 0.75
    assert graded["macro_mae"] == pytest.approx(1 / 6)
    assert graded["quadratic_kappa"] == pytest.approx(
        sklearn_metrics.cohen_kappa_score(truth, probabilities.argmax(1), weights="quadratic")
    )
    assert set(measures(truth, Softmax(3).predict(probabilities), probabilities, ordered=False)) == {
        "accuracy",
        "macro_f1",
    }


def test_types_are_averaged_over_types():
    truth = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])
    probabilities = np.array([[0.9, 0.6], [0.1, 0.7], [0.8, 0.4], [0.2, 0.1]])
    found = measures(truth, MultiLabel(2).predict(probabilities), probabilities, ordered=False)
    decided = probabilities > 0.5
    assert found["accuracy"] == (truth == decided).mean()
    assert found["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(truth, decided, average="macro"))
    assert found["macro_auc"] == pytest.approx(sklearn_metrics.roc_auc_score(truth, probabilities))
