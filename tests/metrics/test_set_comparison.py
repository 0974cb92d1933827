from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.metrics import mmd, pairwise, set_comparison
from anonderm.metrics.bootstrap import jackknife_variances
from anonderm.metrics.mmd import kernel_distance
from anonderm.metrics.set_comparison import PRDC, compare_sets

seeds = st.integers(0, 2**31)


def sample(seed: int, rows: int, features: int = 4, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (rows, features)).astype(np.float32)


def values(real: np.ndarray, fake: np.ndarray, k: int = 5, real_people=None) -> dict[str, float]:
    people = range(len(real)) if real_people is None else real_people
    found, _ = compare_sets(real, fake, people, range(len(fake)), k, np.random.default_rng(0))
    return {name: each.value for name, each in found.items()}


def prdc(real: np.ndarray, fake: np.ndarray, k: int = 5) -> dict[str, float]:
    return {name: value for name, value in values(real, fake, k).items() if name in PRDC}


def slow_kernel_distance(real: np.ndarray, fake: np.ndarray, real_people) -> float:
    """With full tables, and masks in place of blocks."""

    def table(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (a.astype(float) @ b.astype(float).T / a.shape[1] + 1) ** 3

    people = np.asarray(real_people)
    of_two = people[:, None] != people
    own = table(real, real)[of_two].mean() + table(fake, fake)[~np.eye(len(fake), dtype=bool)].mean()
    return float(own - 2 * table(real, fake).mean())


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


@settings(max_examples=10, deadline=None)
@given(seeds, st.integers(1, 4), st.floats(0, 2))
def test_prdc_equals_a_slow_plain_version(seed: int, k: int, shift: float):
    real, fake = sample(seed, 14, 3), sample(seed + 1, 9, 3, shift)
    assert prdc(real, fake, k) == pytest.approx(slow_prdc(real, fake, k))


def test_equal_sets_have_prdc_of_one():
    rows = sample(0, 30)
    assert prdc(rows, rows) == pytest.approx(
        {"precision": 1.0, "recall": 1.0, "density": 1.0, "coverage": 1.0}
    )


def test_distant_sets_have_no_overlap():
    assert set(prdc(sample(0, 30), sample(1, 30, shift=100.0)).values()) == {0.0}


def test_a_collapsed_set_keeps_precision_and_loses_recall_and_coverage():
    real = sample(0, 200)
    collapsed = real[:1] + 1e-3 * sample(1, 200)
    found = prdc(real, collapsed)
    assert found["precision"] == 1.0
    assert found["recall"] < 0.05
    assert found["coverage"] < 0.2


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("square", "tile"), [(4096, 1024), (33, 7)])
def test_neither_tiles_nor_float32_products_change_a_result(monkeypatch, dtype, square: int, tile: int):
    """Far from the origin, where products in float32 are off by more than some distances differ."""
    real, fake = sample(0, 90, 8, shift=30.0), sample(1, 80, 8, shift=30.3)
    expected = slow_prdc(real.astype(float), fake.astype(float), 3)
    monkeypatch.setattr(pairwise, "_TILE_COLUMNS", square)
    monkeypatch.setattr(pairwise, "_TILE_ROWS", tile)
    monkeypatch.setattr(set_comparison, "fitting_dtype", lambda *_: dtype)
    assert prdc(real, fake, 3) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_kernel_distance_equals_the_plain_one_whatever_the_precision(monkeypatch, dtype):
    monkeypatch.setattr(pairwise, "_TILE_COLUMNS", 150)
    monkeypatch.setattr(set_comparison, "fitting_dtype", lambda *_: dtype)
    real, fake, people = sample(0, 400, 64), sample(1, 300, 64, 0.2), (np.arange(400) // 3).tolist()
    expected = slow_kernel_distance(real, fake, people)
    assert kernel_distance(real, fake, people) == pytest.approx(expected, rel=1e-9)
    assert values(real, fake, real_people=people)["kernel"] == pytest.approx(expected, rel=1e-6)


def test_people_with_any_number_of_images_are_left_out_of_their_own_pairs(monkeypatch):
    """Groups of several sizes, in batches of one or two people."""
    monkeypatch.setattr(mmd, "_BATCH_ELEMENTS", 100)
    real, people = (
        sample(13, 60, 8),
        np.repeat(np.arange(14), [1, 2, 3, 4, 5, 6, 7, 7, 6, 5, 5, 4, 3, 2]).tolist(),
    )
    fake = sample(14, 40, 8, 0.3)
    expected = slow_kernel_distance(real, fake, people)
    assert kernel_distance(real, fake, people) == pytest.approx(expected, rel=1e-9)
    assert values(real, fake, real_people=people)["kernel"] == pytest.approx(expected, rel=1e-9)


def test_the_kernel_distance_equals_torch_fidelitys():
    """Their kernel and estimator on the same embeddings."""
    metric_kid = pytest.importorskip("torch_fidelity.metric_kid")
    real, fake = sample(2, 200, 32), sample(3, 200, 32, 0.3)
    kernel = {"kid_kernel": "poly", "kid_kernel_poly_degree": 3, "kid_kernel_poly_coef0": 1}
    theirs = metric_kid.kernel_mmd(real.astype(float), fake.astype(float), **kernel)
    assert values(real, fake)["kernel"] == pytest.approx(theirs, rel=1e-6)


def test_precision_and_recall_equal_torch_fidelitys():
    torch = pytest.importorskip("torch")
    metric_prc = pytest.importorskip("torch_fidelity.metric_prc")
    real, fake = sample(4, 500, 16), sample(5, 400, 16, 0.4)
    theirs = metric_prc.calculate_precision_recall_full(torch.from_numpy(fake), torch.from_numpy(real), 3)
    found = values(real, fake, k=3)
    assert (found["precision"], found["recall"]) == pytest.approx(theirs, rel=1e-6)


def test_precision_equals_scikit_learns_neighbours():
    neighbors = pytest.importorskip("sklearn.neighbors")
    real, fake = sample(6, 300, 8), sample(7, 250, 8, 0.5)
    reach = neighbors.NearestNeighbors(n_neighbors=6).fit(real).kneighbors(real)[0][:, 5]
    distances, rows = neighbors.NearestNeighbors(n_neighbors=len(real)).fit(real).kneighbors(fake)
    assert values(real, fake)["precision"] == pytest.approx((distances < reach[rows]).any(1).mean(), rel=1e-6)


def test_the_gaussian_kernels_distance_equals_a_double_loop():
    real, fake = sample(8, 15), sample(9, 12, shift=0.5)
    width = np.median([np.linalg.norm(a - b) for i, a in enumerate(real) for b in real[:i]])

    def mean(a: np.ndarray, b: np.ndarray, same: bool) -> float:
        table = np.exp(-((a[:, None] - b[None]) ** 2).sum(2) / (2 * width**2))
        return table[~np.eye(len(a), dtype=bool)].mean() if same else table.mean()

    expected = mean(real, real, True) + mean(fake, fake, True) - 2 * mean(real, fake, False)
    assert values(real, fake)["rbf"] == pytest.approx(expected, rel=1e-6)


def test_the_gaussian_kernels_distance_of_equal_distributions_has_mean_zero():
    found = [values(sample(2 * i, 10), sample(2 * i + 1, 10))["rbf"] for i in range(25)]
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


@pytest.mark.parametrize("square", [4096, 11])
def test_variances_equal_measuring_again_without_each_block(monkeypatch, square: int):
    """The blocks dealt to people are the same, as both take them from a generator in one state."""
    real, fake, people = sample(10, 36, 5), sample(11, 30, 5, 0.3), (np.arange(36) // 2).tolist()
    monkeypatch.setattr(pairwise, "_TILE_COLUMNS", square)
    found, _ = compare_sets(real, fake, people, range(30), 3, np.random.default_rng(7))

    def again(kept_real: np.ndarray, kept_fake: np.ndarray) -> dict[str, float]:
        names = {name: slow_prdc(real[kept_real], fake[kept_fake], 3)[name] for name in PRDC}
        kept_people = [people[row] for row in kept_real]
        return names | {"kernel": slow_kernel_distance(real[kept_real], fake[kept_fake], kept_people)}

    rng, every_real, every_fake = np.random.default_rng(7), np.arange(36), np.arange(30)
    of_real = jackknife_variances(lambda kept: again(kept, every_fake), people, rng)
    of_fake = jackknife_variances(lambda kept: again(every_real, kept), range(30), rng)
    for name, variance in of_real.items():
        assert found[name].variance == pytest.approx(variance + of_fake[name], rel=1e-5)


def test_copies_of_real_images_are_inside_not_on_a_boundary():
    """Equal distances must stay equal, however they are computed: the boundary lies outside."""
    rows = sample(12, 200, 300, shift=5.0)
    assert prdc(rows, rows[::-1].copy())["density"] == 1.0


def test_too_few_images_leave_measures_out_with_the_reason():
    found, reasons = compare_sets(
        sample(0, 5), sample(1, 50), range(5), range(50), 5, np.random.default_rng(0)
    )
    assert set(reasons) == set(PRDC)
    assert "at least 6 images" in reasons["recall"]
    assert {"kernel", "rbf", "frechet"} <= set(found)
    _, reasons = compare_sets(sample(0, 1), sample(1, 50), range(1), range(50), 5, np.random.default_rng(0))
    assert "at least 2 images" in reasons["kernel"]
    _, reasons = compare_sets(sample(0, 9), sample(1, 50), [0] * 9, range(50), 5, np.random.default_rng(0))
    assert "2 people" in reasons["kernel"]


def test_large_sets_are_subsampled_for_pairs_but_not_for_the_frechet_distance(monkeypatch):
    real, fake = sample(0, 60), sample(1, 80)

    def found():
        return compare_sets(real, fake, range(60), range(80), 3, np.random.default_rng(0))[0]

    whole = found()
    monkeypatch.setattr(set_comparison, "MAX_PAIRED", 50)
    some = found()
    assert some["frechet"].value == pytest.approx(whole["frechet"].value)
    assert some["kernel"].value != whole["kernel"].value
    assert abs(some["kernel"].value - whole["kernel"].value) < 6 * whole["kernel"].variance ** 0.5
    monkeypatch.setattr(set_comparison, "MAX_PAIRED", 80)
    assert found() == whole
