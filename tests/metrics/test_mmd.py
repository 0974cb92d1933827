from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.core.errors import TooFewImages
from anonderm.metrics import pairwise
from anonderm.metrics.mmd import kernel_distance


def sample(seed: int, rows: int, features: int = 4, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (rows, features))


def rotation(seed: int, features: int = 4) -> np.ndarray:
    return np.linalg.qr(sample(seed, features, features))[0]


seeds = st.integers(0, 2**31)


def slow_kernel_distance(real: np.ndarray, fake: np.ndarray) -> float:
    def mean(a: np.ndarray, b: np.ndarray, skip_same: bool) -> float:
        values = [
            (x @ y / len(x) + 1) ** 3
            for i, x in enumerate(a)
            for j, y in enumerate(b)
            if not (skip_same and i == j)
        ]
        return float(np.mean(values))

    return mean(real, real, True) + mean(fake, fake, True) - 2 * mean(real, fake, False)


@pytest.mark.parametrize("tile", [512, 3])
def test_the_kernel_distance_equals_a_double_loop_whatever_the_tile(monkeypatch, tile: int):
    monkeypatch.setattr(pairwise, "_TILE_ROWS", tile)
    monkeypatch.setattr(pairwise, "_TILE_COLUMNS", 2 * tile)
    real, fake = sample(0, 11), sample(1, 7, shift=0.5)
    assert kernel_distance(real, fake) == pytest.approx(slow_kernel_distance(real, fake))


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_the_kernel_distance_is_symmetric_and_invariant_under_rotation_and_order(seed: int):
    real, fake, turn = sample(seed, 8), sample(seed + 1, 6, shift=0.3), rotation(seed + 2)
    value = kernel_distance(real, fake)
    assert kernel_distance(fake, real) == pytest.approx(value)
    assert kernel_distance(real @ turn, fake[::-1] @ turn) == pytest.approx(value)


def test_the_kernel_distance_of_equal_distributions_has_mean_zero():
    values = [kernel_distance(sample(2 * i, 10), sample(2 * i + 1, 10)) for i in range(400)]
    error_of_the_mean = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error_of_the_mean
    assert min(values) < 0


def test_several_photos_of_a_person_do_not_bias_the_kernel_distance():
    """Both sets of one distribution: the mean is 0 only where pairs of one person are left out."""
    people = np.repeat(np.arange(8), 3).tolist()

    def photos(seed: int) -> np.ndarray:
        return np.repeat(sample(seed, 8), 3, axis=0) + 0.1 * sample(seed + 10_000, 24)

    pairs = [(photos(2 * i), photos(2 * i + 1)) for i in range(300)]
    fair = [kernel_distance(real, fake, people, people) for real, fake in pairs]
    naive = [kernel_distance(real, fake) for real, fake in pairs]
    assert abs(np.mean(fair)) < 3 * np.std(fair) / np.sqrt(300)
    assert np.mean(naive) > 5 * np.std(naive) / np.sqrt(300)


def test_the_kernel_distance_needs_two_people():
    with pytest.raises(TooFewImages, match="2 people"):
        kernel_distance(sample(0, 4), sample(1, 4), real_people=["one"] * 4)
