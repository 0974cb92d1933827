"""A generalisation gap in likelihood, after the Feature Likelihood Divergence of Jiralerspong et al. 2023.

The synthetic faces are the centres of a mixture of Gaussians whose widths are fitted to a set of real photos.
A centre that copies one of them shrinks onto it, which makes that set more likely than others.
"""

# N photos fitted to, Q other photos, M centres

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp, softmax

Floats = NDArray[np.float64]

_ROUNDS = 20
_NARROWEST = 1e-4  # of the mean variance: a centre that equals a photo would shrink to 0


def likelihood_gap(fitted_NM: Floats, other_QM: Floats, dimensions: int) -> float:
    """100 / D times the mean log likelihood of the fitted photos, minus that of the others.

    fitted_NM, other_QM: squared distances from the synthetic faces. Scaled as the FLD; the widths are fitted
    by expectation maximisation instead of gradient steps, to a fixed point of the same likelihood.
    """
    variance_M = fit_variances(fitted_NM, dimensions)
    fitted, other = (log_likelihood(each, variance_M, dimensions).mean() for each in (fitted_NM, other_QM))
    return float(100 / dimensions * (fitted - other))


def fit_variances(squared_NM: Floats, dimensions: int, rounds: int = _ROUNDS) -> Floats:
    """The variance [M] of each centre per coordinate; no round lowers the likelihood of the photos."""
    start = max(float(squared_NM.min(axis=1).mean()) / dimensions, 1e-12)
    floor, variance_M = _NARROWEST * start, np.full(squared_NM.shape[1], start)
    for _ in range(rounds):
        share_NM = softmax(_log_parts(squared_NM, variance_M, dimensions), axis=1)
        weight_M = share_NM.sum(axis=0)
        mean_M = np.einsum("nm,nm->m", share_NM, squared_NM) / np.maximum(weight_M * dimensions, 1e-300)
        variance_M = np.where(weight_M > 1e-12, np.maximum(mean_M, floor), variance_M)
    return variance_M


def log_likelihood(squared_NM: Floats, variance_M: Floats, dimensions: int) -> Floats:
    """Of each photo [N] under the mixture of all centres, equally weighted."""
    return np.asarray(logsumexp(_log_parts(squared_NM, variance_M, dimensions), axis=1))


def _log_parts(squared_NM: Floats, variance_M: Floats, dimensions: int) -> Floats:
    widths_M = dimensions / 2 * np.log(2 * np.pi * variance_M)
    return np.asarray(-squared_NM / (2 * variance_M) - widths_M - np.log(len(variance_M)))
