from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.core.errors import TooFewImages
from anonderm.metrics import frechet as module
from anonderm.metrics.bootstrap import jackknife_variances
from anonderm.metrics.frechet import frechet, frechet_distance

seeds = st.integers(0, 2**31)


def sample(seed: int, rows: int, features: int = 4, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1.0, (rows, features))


def rotation(seed: int, features: int = 4) -> np.ndarray:
    return np.linalg.qr(sample(seed, features, features))[0]


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
def test_the_frechet_distance_is_symmetric_and_invariant_under_rotation(seed: int):
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


@pytest.mark.parametrize(("real_rows", "fake_rows", "features"), [(700, 500, 64), (4097, 4500, 16)])
def test_the_frechet_distance_equals_torch_fidelitys(real_rows: int, fake_rows: int, features: int):
    torch = pytest.importorskip("torch")
    metric_fid = pytest.importorskip("torch_fidelity.metric_fid")
    mix = sample(8, features, features)
    real, fake = sample(9, real_rows, features) @ mix, sample(10, fake_rows, features) @ mix * 1.1 + 0.2
    statistics = [metric_fid.fid_features_to_statistics(torch.from_numpy(rows)) for rows in (fake, real)]
    theirs = metric_fid.fid_statistics_to_metric(*statistics, verbose=False)["frechet_inception_distance"]
    assert frechet_distance(real, fake) == pytest.approx(theirs, rel=1e-6)


def test_fewer_images_than_features_give_the_distance_of_their_singular_covariances():
    """In the space of the images: the trace of the root is the nuclear norm of their products."""
    real, fake = sample(11, 30, 100), sample(12, 20, 100) + 0.1
    centred = [(rows - rows.mean(0)) / np.sqrt(len(rows) - 1) for rows in (real, fake)]
    traces = sum(np.sum(rows**2) for rows in centred)
    overlap = np.linalg.norm(centred[0] @ centred[1].T, "nuc")
    expected = np.sum((real.mean(0) - fake.mean(0)) ** 2) + traces - 2 * overlap
    assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-9)


def test_scatters_join_to_the_gaussian_of_all_images():
    rows = sample(13, 90, 100)  # fewer than features: the root of all comes from the images themselves
    joined, whole = (
        module.Scatter.of(rows[:20]).joined(module.Scatter.of(rows[20:])).gaussian(),
        module.Gaussian.of(rows),
    )
    assert len(joined.root_RD) == 89
    assert joined.count == whole.count
    assert joined.mean_D == pytest.approx(whole.mean_D)
    assert joined.root_RD.T @ joined.root_RD == pytest.approx(whole.root_RD.T @ whole.root_RD)


def test_the_distance_does_not_depend_on_chunks_or_parts(monkeypatch):
    real, fake = sample(14, 300, 8), sample(15, 250, 8, 0.3)
    whole = frechet_distance(real, fake)
    monkeypatch.setattr(module, "_CHUNK", 37)
    assert frechet_distance(real, fake) == pytest.approx(whole, rel=1e-12)
    found = frechet(real, fake, range(300), range(250), np.random.default_rng(0))
    assert found.value == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(("rows", "features"), [(60, 16), (40, 100)])
def test_the_variance_by_influence_agrees_with_leaving_people_out(rows: int, features: int):
    """Deleting one person at a time; with fewer images than features too."""
    real, fake = sample(16, rows, features), sample(17, rows, features, 0.5) * 1.3
    people = (np.arange(rows) // 2).tolist()
    found = frechet(real, fake, people, people, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    blocks = {"rng": rng, "blocks": rows}
    without_fake = jackknife_variances(
        lambda kept: {"d": frechet_distance(real, fake[kept])}, people, **blocks
    )["d"]
    without_real = jackknife_variances(
        lambda kept: {"d": frechet_distance(real[kept], fake)}, people, **blocks
    )["d"]
    assert found.variance_fake == pytest.approx(without_fake, rel=0.35)
    assert found.variance_real == pytest.approx(without_real, rel=0.35)


def test_extrapolation_takes_away_the_bias_of_few_images():
    """Equal distributions: the truth is 0, the plain distance is far from it."""
    people = range(300)
    found = [
        frechet(sample(2 * i, 300, 32), sample(2 * i + 1, 300, 32), people, people, np.random.default_rng(i))
        for i in range(10)
    ]
    plain = np.mean([each.value for each in found])
    assert plain > 1.0
    assert abs(np.mean([each.infinity for each in found])) < 0.1 * plain


def test_nothing_is_extrapolated_from_quarters_smaller_than_the_features():
    few, many = sample(18, 100, 32), sample(19, 200, 32)
    assert frechet(few, many, range(100), range(200), np.random.default_rng(0)).infinity is None


def test_of_one_person_there_is_no_variance():
    found = frechet(sample(20, 20), sample(21, 20), [0] * 20, range(20), np.random.default_rng(0))
    assert found.variance_real is None
    assert found.variance_fake is not None


def test_one_image_has_no_covariance():
    with pytest.raises(TooFewImages, match="at least 2 images"):
        frechet_distance(sample(0, 1), sample(1, 40))
