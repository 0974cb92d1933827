"""The Frechet distance of two Gaussians fitted to embeddings, its variance, and FID-infinity.

With covariances factored as R'R, the trace of the root of their product is the nuclear norm of
R_real R_fake'. It needs no matrix root, cannot become negative or complex, and holds for singular covariances
(fewer images than features) too. For few images R is computed from the images themselves, which loses no
precision. Many images are first summed into a scatter matrix, which is several times faster.
"""

# N images, D features, R rank of a covariance, S singular values

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonderm.core.errors import TooFewImages
from anonderm.core.splits import group_folds, rows_by_group
from anonderm.metrics.pairwise import Floats, squared_lengths

_CHUNK = 4096
_MANY = 4  # images for each feature, from which a scatter matrix is faster
_QUARTERS = 4


@dataclass(frozen=True)
class Gaussian:
    """Fitted to `count` images: mean [D], and a root R [R, D] of the unbiased covariance R'R."""

    count: int
    mean_D: Floats
    root_RD: Floats

    @staticmethod
    def of(rows_ND: ArrayLike) -> Gaussian:
        """Raises TooFewImages below 2 rows."""
        rows = np.asarray(rows_ND)
        if len(rows) < 2:
            raise TooFewImages(
                f"the Frechet distance needs at least 2 images a set, one has {len(rows)}.",
                "Compare larger sets.",
            )
        if len(rows) >= _MANY * rows.shape[1]:
            return Scatter.of(rows).gaussian()
        mean_D = rows.mean(axis=0, dtype=np.float64)
        root_RD: Floats = np.linalg.qr(rows - mean_D, mode="r")  # type: ignore[assignment]
        return Gaussian(len(rows), mean_D, root_RD / np.sqrt(len(rows) - 1))


@dataclass(frozen=True)
class Scatter:
    """The mean [D] of `count` images, and the sum [D, D] of the outer products of their deviations."""

    count: int
    mean_D: Floats
    sum_DD: Floats

    @staticmethod
    def of(rows_ND: NDArray[np.floating]) -> Scatter:
        mean_D = rows_ND.mean(axis=0, dtype=np.float64)
        sum_DD = np.zeros((len(mean_D), len(mean_D)))
        for start in range(0, len(rows_ND), _CHUNK):
            centred_CD = rows_ND[start : start + _CHUNK] - mean_D
            sum_DD += centred_CD.T @ centred_CD
        return Scatter(len(rows_ND), mean_D, sum_DD)

    def joined(self, other: Scatter) -> Scatter:
        """The scatter of the images of both."""
        count = self.count + other.count
        apart_D = np.sqrt(self.count * other.count / count) * (self.mean_D - other.mean_D)
        mean_D = (self.count * self.mean_D + other.count * other.mean_D) / count
        return Scatter(count, mean_D, self.sum_DD + other.sum_DD + np.outer(apart_D, apart_D))

    def gaussian(self) -> Gaussian:
        """By a pivoted Cholesky factor, which also handles singular covariances."""
        from scipy.linalg.lapack import dpstrf

        factor_DD, pivot_D, rank, _ = dpstrf(self.sum_DD)
        root_RD = np.empty((rank, len(pivot_D)))
        root_RD[:, pivot_D - 1] = np.triu(factor_DD)[:rank]
        return Gaussian(self.count, self.mean_D, root_RD / np.sqrt(self.count - 1))


def frechet_distance(real_ND: ArrayLike, fake_ND: ArrayLike) -> float:
    """Squared Frechet distance between two Gaussians fitted to embeddings, in float64.

    Biased upwards, strongly while there are few images per feature. Raises TooFewImages below 2 rows.
    Source: Heusel et al. 2017, eq. 6.
    """
    real, fake = Gaussian.of(real_ND), Gaussian.of(fake_ND)
    values_S = np.linalg.svd(real.root_RD @ fake.root_RD.T, compute_uv=False)
    return _distance(real, fake, values_S)


def _quick_distance(real: Gaussian, fake: Gaussian) -> float:
    """The same in a third of the time, by squared singular values. Each feature adds an error of 1e-8 of
    the largest one, far less than quarters of the images differ from each other."""
    product_RS = real.root_RD @ fake.root_RD.T
    squares_S = np.linalg.eigvalsh(product_RS @ product_RS.T)
    return _distance(real, fake, np.sqrt(squares_S.clip(min=0)))


def _distance(real: Gaussian, fake: Gaussian, values_S: NDArray[np.floating]) -> float:
    means = np.sum((real.mean_D - fake.mean_D) ** 2)
    traces = np.sum(real.root_RD**2) + np.sum(fake.root_RD**2)
    return max(0.0, float(means + traces - 2.0 * values_S.sum()))


@dataclass(frozen=True)
class Frechet:
    """The distance, and its variance from each side: None with a single person.

    infinity: the distance extrapolated to infinitely many images; None where a quarter of a set has no more
    images than features.
    """

    value: float
    variance_real: float | None
    variance_fake: float | None
    infinity: float | None


def frechet(
    real_ND: NDArray[np.floating],
    fake_ND: NDArray[np.floating],
    real_people: Sequence[Hashable],
    fake_people: Sequence[Hashable],
    rng: np.random.Generator,
) -> Frechet:
    """The distance, its variance over people, and FID-infinity. Raises TooFewImages."""
    quarters = [_quarters(real_ND, real_people, rng), _quarters(fake_ND, fake_people, rng)]
    if all(quarters):
        halves = [(a.joined(b), c.joined(d)) for a, b, c, d in quarters]
        real, fake = (first.joined(second).gaussian() for first, second in halves)
    else:
        real, fake = Gaussian.of(real_ND), Gaussian.of(fake_ND)
    left_RS, values_S, right_SR = np.linalg.svd(real.root_RD @ fake.root_RD.T, full_matrices=False)
    used_S = values_S > 1e-9 * values_S.max(initial=0.0)
    weights_S = 1 / np.sqrt(values_S[used_S])
    toward_real_DS = real.root_RD.T @ (left_RS[:, used_S] * weights_S)
    toward_fake_DS = fake.root_RD.T @ (right_SR[used_S].T * weights_S)
    value = _distance(real, fake, values_S)
    return Frechet(
        value,
        _variance(_influence(real_ND, real, fake, toward_fake_DS), real_people),
        _variance(_influence(fake_ND, fake, real, toward_real_DS), fake_people),
        _infinity(value, halves, quarters) if all(quarters) else None,
    )


def _quarters(
    rows_ND: NDArray[np.floating], people: Sequence[Hashable], rng: np.random.Generator
) -> list[Scatter]:
    """Four parts without common people; none where a part has no more images than features."""
    parts = group_folds(people, _QUARTERS, rng)
    if min(sum(map(len, part)) for part in parts) <= rows_ND.shape[1]:
        return []
    return [Scatter.of(rows_ND[np.sort(np.concatenate(part))]) for part in parts]


def _infinity(
    whole: float, halves: Sequence[Sequence[Scatter]], quarters: Sequence[Sequence[Scatter]]
) -> float:
    """Intercept of the distance against 1 / images, from the whole sets, their halves and their quarters.

    Both sets are halved together, so the bias of both goes. Source: Chong and Forsyth 2020, sec. 4, who
    extrapolate over the synthetic set alone.
    """
    means = [whole]
    for sides in (halves, quarters):
        pairs = zip(*sides, strict=True)
        distances = [_quick_distance(real.gaussian(), fake.gaussian()) for real, fake in pairs]
        means.append(float(np.mean(distances)))
    return float(np.polyfit((1, 2, 4), means, 1)[1])


def _influence(rows_ND: NDArray[np.floating], own: Gaussian, other: Gaussian, toward_DS: Floats) -> Floats:
    """The influence of each image on the distance [N]: the first-order term of its error.

    The nuclear norm of R_other (own covariance)^(1/2) changes with y y' by half of |S^(-1/2) U' R_other y|^2.
    """
    mean_D, apart_D, narrow_DS = (
        each.astype(rows_ND.dtype) for each in (own.mean_D, own.mean_D - other.mean_D, toward_DS)
    )
    influence_N = np.empty(len(rows_ND))
    for start in range(0, len(rows_ND), _CHUNK):
        centred_CD = rows_ND[start : start + _CHUNK] - mean_D
        along_CS = centred_CD @ narrow_DS
        squares_C = squared_lengths(centred_CD) - squared_lengths(along_CS)
        influence_N[start : start + _CHUNK] = squares_C + 2 * (centred_CD @ apart_D)
    return influence_N - influence_N.mean()


def _variance(influence_N: Floats, people: Sequence[Hashable]) -> float | None:
    """Infinitesimal jackknife over people. Source: Efron 1982, sec. 6.3."""
    sums_P = np.array([influence_N[rows].sum() for rows in rows_by_group(people)])
    if len(sums_P) < 2:
        return None
    return float(np.sum(sums_P**2) / len(influence_N) ** 2 * len(sums_P) / (len(sums_P) - 1))
