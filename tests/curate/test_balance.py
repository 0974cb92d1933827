from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.errors import Diverged
from anonderm.curate.grade import class_weights, reweighted


@given(st.integers(0, 10_000), st.integers(2, 5))
def test_weighted_probabilities_have_the_wanted_means(seed, classes):
    rng = np.random.default_rng(seed)
    probabilities_NK = rng.dirichlet(np.ones(classes), 200)
    shares_K = rng.dirichlet(np.full(classes, 5.0))
    weighted_NK = reweighted(probabilities_NK, class_weights(probabilities_NK, shares_K))
    np.testing.assert_allclose(weighted_NK.mean(axis=0), shares_K, atol=1e-6)
    np.testing.assert_allclose(weighted_NK.sum(axis=1), 1)


def test_a_known_bias_is_undone():
    """Posteriors under equal classes, of data whose classes are 9 : 1, times 9 : 1 (Bayes)."""
    rng = np.random.default_rng(0)
    x_N = np.where(rng.random(200_000) < 0.9, -1.0, 1.0) + rng.normal(0, 1, 200_000)
    flat_N = 1 / (1 + np.exp(2 * x_N))
    weights_K = class_weights(np.stack([flat_N, 1 - flat_N], axis=1), np.array([0.9, 0.1]))
    assert weights_K[0] / weights_K[1] == pytest.approx(9, rel=0.05)


def test_a_class_that_no_face_was_generated_for_gets_no_face():
    probabilities_NK = np.array([[0.5, 0.3, 0.2], [0.1, 0.3, 0.6]])
    assert class_weights(probabilities_NK, np.array([0.5, 0.0, 0.5]))[1] == 0


def test_predictions_that_contradict_the_labels_are_an_error():
    with pytest.raises(Diverged, match="frequencies"):
        class_weights(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0.5, 0.5]))
