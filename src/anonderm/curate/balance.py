"""Correcting the bias of a classifier on another kind of image than it was trained on."""

# N faces, K classes

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import Diverged

_ROUNDS, _TOLERANCE = 10_000, 1e-6


def class_weights(
    probabilities_NK: NDArray[np.float64], shares_K: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A factor for each class, such that the mean probabilities equal the given shares.

    probabilities_NK: rows that sum to 1; shares_K: sums to 1; a class with share 0 gets the factor 0.
    Raises Diverged if there are no such factors. Source: Sinkhorn & Knopp 1967 (rows scaled to 1, columns to
    their share), used as in Saerens et al. 2002, with known shares.
    """
    weights_K = np.ones(len(shares_K))
    for _ in range(_ROUNDS):
        means_K = reweighted(probabilities_NK, weights_K).mean(axis=0)
        if np.abs(means_K - shares_K).max() < _TOLERANCE:
            return weights_K
        weights_K *= np.divide(shares_K, means_K, out=np.zeros_like(shares_K), where=means_K > 0)
        weights_K /= weights_K.sum()
    raise Diverged(
        "No class weights give the frequencies of the labels.",
        "The classifier assigns some label almost no probability: grade without --match-labels.",
    )


def reweighted(probabilities_NK: NDArray[np.float64], weights_K: NDArray[np.float64]) -> NDArray[np.float64]:
    """The probabilities times the factors, rows summing to 1 again."""
    scaled_NK = probabilities_NK * weights_K
    return scaled_NK / scaled_NK.sum(axis=1, keepdims=True)
