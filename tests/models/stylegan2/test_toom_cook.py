"""Short convolutions along one axis against the sums that define them."""

from __future__ import annotations

import numpy as np
import pytest

from anonderm.models.stylegan2.winograd import Algorithm, toom_cook


def _apply(algorithm: Algorithm, x: np.ndarray, taps: np.ndarray) -> np.ndarray:
    data, kernel = algorithm.data_PS.numpy(), algorithm.kernel_PK.numpy()
    return algorithm.pixels_PM.numpy().T @ ((kernel @ taps) * (data @ x))


@pytest.mark.parametrize(("results", "products"), [(4, 6), (8, 10)])
def test_three_taps_need_two_more_products_than_results(results: int, products: int) -> None:
    random, algorithm = np.random.default_rng(0), toom_cook(results)
    x, taps = random.normal(size=results + 2), random.normal(size=3)
    assert len(algorithm.data_PS) == products
    assert np.allclose(_apply(algorithm, x, taps), np.correlate(x, taps, "valid"))
