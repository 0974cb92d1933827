"""Short convolutions along one axis against the sums that define them."""

from __future__ import annotations

import numpy as np
import pytest

from anonderm.models.stylegan2 import toom_cook
from anonderm.models.stylegan2.toom_cook import Algorithm


def _apply(algorithm: Algorithm, x: np.ndarray, taps: np.ndarray) -> np.ndarray:
    data, kernel = algorithm.data_PS.numpy(), algorithm.kernel_PK.numpy()
    return algorithm.pixels_PM.numpy().T @ ((kernel @ taps) * (data @ x))


@pytest.mark.parametrize(("results", "products"), [(4, 6), (8, 10)])
def test_three_taps_need_two_more_products_than_results(results: int, products: int) -> None:
    random, algorithm = np.random.default_rng(0), toom_cook.plain(results)
    x, taps = random.normal(size=results + 2), random.normal(size=3)
    assert len(algorithm.data_PS) == products
    assert np.allclose(_apply(algorithm, x, taps), np.correlate(x, taps, "valid"))


def test_low_pass_and_stride_of_two_need_nine_products_for_four_results() -> None:
    random, algorithm = np.random.default_rng(0), toom_cook.halving(2.0)
    x, taps = random.normal(size=12), random.normal(size=3)
    smooth = 2 * np.convolve(x, np.array([1, 3, 3, 1]) / 8, "valid")
    assert len(algorithm.data_PS) == 9
    assert np.allclose(_apply(algorithm, x, taps), np.correlate(smooth, taps, "valid")[::2])


def test_an_algorithm_states_how_its_pieces_lie() -> None:
    small, half = toom_cook.plain(4), toom_cook.halving(1.0)
    assert (small.step, small.before, small.results) == (4, 1, 4)
    assert (half.step, half.before, half.results) == (8, 2, 4)
