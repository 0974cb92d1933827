"""Scores over shared resamples, against the plain bootstrap that takes one statistic at a time."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from anonderm.evaluate.statistics import classification_metrics
from anonderm.experiments.data_mix.scoring import Draws, score, values
from anonderm.metrics.bootstrap import interval

CLASSES = ("healthy", "mild", "severe")
PEOPLE = [f"p{row // 3}" for row in range(60)]


@pytest.fixture
def answers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The truth of 60 faces, and the predictions of two arms with two trainings each."""
    rng = np.random.default_rng(0)
    truth_N = rng.integers(0, 3, 60)
    right, poor = (np.where(rng.random((2, 60)) < share, truth_N, 0) for share in (0.9, 0.5))
    return truth_N, right, poor


def test_paired_differences_are_those_of_a_plain_bootstrap_of_the_differences(answers):
    truth_N, one_SN, other_SN = answers
    draws = Draws.of(PEOPLE, np.random.default_rng(5), 50)
    metrics = classification_metrics(CLASSES, ordered=True)
    one, other = (values(metrics, draws.matrices(truth_N, predicted, 3)) for predicted in (one_SN, other_SN))

    def f1(truth, predicted):
        return sklearn_metrics.f1_score(truth, predicted, labels=range(3), average="macro", zero_division=0)

    def kappa(truth, predicted):
        return sklearn_metrics.cohen_kappa_score(truth, predicted, weights="quadratic", labels=range(3))

    for name, plain in (
        ("accuracy", sklearn_metrics.accuracy_score),
        ("macro_f1", f1),
        ("quadratic_kappa", kappa),
    ):

        def apart(rows, plain=plain):
            if len(set(truth_N[rows])) < 3:
                return float("nan")
            means = [
                np.mean([plain(truth_N[rows], predicted[rows]) for predicted in arm])
                for arm in (one_SN, other_SN)
            ]
            return float(means[0] - means[1])

        made = score(one[name].mean(1) - other[name].mean(1), 60, higher_is_better=True)
        low, high = interval(apart, PEOPLE, np.random.default_rng(5), 50)
        assert (made.value, made.low, made.high) == pytest.approx(
            (apart(np.arange(60)), low, high), abs=1e-12
        )


def test_a_paired_difference_has_a_narrower_interval_than_one_arm_alone(answers):
    """Both arms err on the same hard people, so that much of the noise goes out."""
    truth_N, right_SN, _ = answers
    nearly_SN = right_SN.copy()
    nearly_SN[:, :4] = (truth_N[:4] + 1) % 3
    draws = Draws.of(PEOPLE, np.random.default_rng(5), 200)
    metrics = {"accuracy": classification_metrics(CLASSES, ordered=True)["accuracy"]}
    one, other = (
        values(metrics, draws.matrices(truth_N, predicted, 3))["accuracy"].mean(1)
        for predicted in (right_SN, nearly_SN)
    )
    alone, apart = (score(each, 60, higher_is_better=True) for each in (other, one - other))
    assert apart.high - apart.low < alone.high - alone.low


def test_a_part_of_the_faces_is_scored_over_the_same_people(answers):
    truth_N, predicted_SN, _ = answers
    among_N = np.arange(60) % 3 == 0
    draws = Draws.of(PEOPLE, np.random.default_rng(5), 100)
    metrics = {"accuracy": classification_metrics(CLASSES, ordered=True)["accuracy"]}
    found_RS = values(metrics, draws.matrices(truth_N, predicted_SN, 3, among_N))["accuracy"]
    assert found_RS[0] == pytest.approx((truth_N == predicted_SN)[:, among_N].mean(1))
    nobody = values(metrics, draws.matrices(truth_N, predicted_SN, 3, np.zeros(60, bool)))["accuracy"].mean(1)
    assert score(nobody, 0, higher_is_better=True) is None
