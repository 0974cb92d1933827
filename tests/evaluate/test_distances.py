from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.core.errors import TooFewImages
from anonderm.evaluate import distances
from anonderm.evaluate.distances import frechet_distance, kernel_distance, nearest, prdc


def sample(seed: int, rows: int, features: int = 4, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (rows, features))


def rotation(seed: int, features: int = 4) -> np.ndarray:
    return np.linalg.qr(sample(seed, features, features))[0]


seeds = st.integers(0, 2**31)


def test_with_equal_covariances_the_frechet_distance_is_the_squared_distance_of_the_means():
    rows = sample(0, 50)
    shift = np.array([1.0, -2.0, 0.5, 3.0])
    assert frechet_distance(rows, rows + shift) == pytest.approx(np.sum(shift**2))


def test_the_frechet_distance_of_diagonal_gaussians_is_known():
    """Both scaled from one whitened sample: tr(A) + tr(B) - 2 tr(sqrt(AB)) = sum (a - b)^2."""
    rows = sample(1, 60)
    white = np.linalg.qr(rows - rows.mean(axis=0))[0] * np.sqrt(len(rows) - 1)
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([4.0, 1.0, 3.0, 0.5])
    assert frechet_distance(white * a, white * b) == pytest.approx(np.sum((a - b) ** 2))


def test_the_frechet_distance_equals_the_one_with_a_matrix_root():
    from scipy.linalg import sqrtm

    real, fake = sample(2, 80) @ sample(3, 4), sample(4, 70) @ sample(5, 4) + 1.0
    covariances = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)
    root = sqrtm(covariances[0] @ covariances[1])
    means = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    expected = means + np.trace(covariances[0] + covariances[1] - 2 * root.real)
    assert frechet_distance(real, fake) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_the_frechet_distance_is_symmetric_and_keeps_under_rotation(seed: int):
    real, fake, turn = sample(seed, 12), sample(seed + 1, 9, shift=1.0), rotation(seed + 2)
    value = frechet_distance(real, fake)
    assert value >= 0
    assert frechet_distance(fake, real) == pytest.approx(value)
    assert frechet_distance(real @ turn, fake @ turn) == pytest.approx(value)
    assert frechet_distance(real, real[::-1]) == pytest.approx(0.0, abs=1e-9)


def test_the_frechet_distance_stays_finite_where_features_are_constant():
    real, fake = sample(6, 200, 128), sample(7, 200, 128)
    real[:, 64:], fake[:, 64:] = 0.0, 0.0
    assert np.isfinite(frechet_distance(real, fake))


def test_too_few_rows_for_a_covariance_are_refused():
    with pytest.raises(TooFewImages, match="at least 5 images"):
        frechet_distance(sample(0, 4), sample(1, 40))


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


@pytest.mark.parametrize("block", [2**22, 20])
def test_the_kernel_distance_equals_a_double_loop_whatever_the_block(monkeypatch, block: int):
    monkeypatch.setattr(distances, "_BLOCK_ELEMENTS", block)
    real, fake = sample(0, 11), sample(1, 7, shift=0.5)
    assert kernel_distance(real, fake) == pytest.approx(slow_kernel_distance(real, fake))


@settings(max_examples=25, deadline=None)
@given(seeds)
def test_the_kernel_distance_is_symmetric_and_keeps_under_rotation_and_order(seed: int):
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


def slow_prdc(real: np.ndarray, fake: np.ndarray, k: int) -> dict[str, float]:
    def distance(a, b):
        return float(np.linalg.norm(a - b))

    def reach(rows):
        return [
            sorted(distance(a, b) for j, b in enumerate(rows) if j != i)[k - 1] for i, a in enumerate(rows)
        ]

    real_reach, fake_reach = reach(real), reach(fake)
    inside_real = [[distance(x, y) < r for x, r in zip(real, real_reach, strict=True)] for y in fake]
    inside_fake = [[distance(x, y) < r for y, r in zip(fake, fake_reach, strict=True)] for x in real]
    return {
        "precision": float(np.mean([any(row) for row in inside_real])),
        "recall": float(np.mean([any(row) for row in inside_fake])),
        "density": float(np.sum(inside_real) / (k * len(fake))),
        "coverage": float(np.mean([any(column) for column in zip(*inside_real, strict=True)])),
    }


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 4), st.floats(0, 2))
def test_prdc_equals_a_slow_plain_version(seed: int, k: int, shift: float):
    real, fake = sample(seed, 14, 3), sample(seed + 1, 9, 3, shift)
    assert prdc(real, fake, k) == pytest.approx(slow_prdc(real, fake, k))


def test_equal_sets_have_every_share_one_and_density_one():
    rows = sample(0, 30)
    assert prdc(rows, rows) == pytest.approx(
        {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}
    )


def test_sets_far_apart_share_nothing():
    assert set(prdc(sample(0, 30), sample(1, 30, shift=100.0)).values()) == {0.0}


def test_a_collapsed_set_keeps_precision_and_loses_recall_and_coverage():
    real = sample(0, 200)
    collapsed = real[:1] + 1e-3 * sample(1, 200)
    values = prdc(real, collapsed)
    assert values["precision"] == 1.0
    assert values["recall"] < 0.05
    assert values["coverage"] < 0.2


def test_prdc_does_not_depend_on_the_block(monkeypatch):
    real, fake = sample(0, 40), sample(1, 33, shift=0.5)
    whole = prdc(real, fake)
    monkeypatch.setattr(distances, "_BLOCK_ELEMENTS", 100)
    assert prdc(real, fake) == whole


def test_prdc_refuses_fewer_rows_than_neighbours_need():
    with pytest.raises(TooFewImages, match="at least 6 images"):
        prdc(sample(0, 5), sample(1, 50), k=5)


@settings(max_examples=25, deadline=None)
@given(seeds, st.integers(1, 5))
def test_nearest_equals_sorting_all_distances(seed: int, k: int):
    query, reference = sample(seed, 6), sample(seed + 1, 12)
    found, indices = nearest(query, reference, k)
    table = np.linalg.norm(query[:, None] - reference[None], axis=2)
    assert found == pytest.approx(np.sort(table, axis=1)[:, :k])
    assert np.take_along_axis(table, indices, axis=1) == pytest.approx(found)


def test_a_copy_is_at_distance_zero_exactly():
    reference = sample(0, 50, 300).astype(np.float32) * 1e3
    found, indices = nearest(reference[[7, 3]], reference)
    assert found.tolist() == [[0.0], [0.0]]
    assert indices.tolist() == [[7], [3]]


def test_nearest_refuses_an_empty_reference():
    with pytest.raises(TooFewImages):
        nearest(sample(0, 3), sample(0, 0))
