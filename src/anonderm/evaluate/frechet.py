"""The Frechet distance of two Gaussians fitted to embeddings, how sure it is, and that of endless sets.

With covariances factored as R'R, the trace of the root of their product is the nuclear norm of
R_real R_fake': no matrix root is taken, nothing turns negative or complex, and singular covariances (fewer
images than features) need no care.
"""

# N images, D features, R rank of a covariance, S singular values

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anonderm.core.errors import TooFewImages
from anonderm.evaluate.bootstrap import rows_by_group

Floats = NDArray[np.float64]

_CHUNK = 4096
_PARTS = 4


@dataclass(frozen=True)
class Gaussian:
    """Fitted to `count` images: mean [D], and the root R [R, D] of the unbiased covariance R'R."""

    count: int
    mean_D: Floats
    root_RD: Floats

    @staticmethod
    def of(rows_ND: ArrayLike) -> Gaussian:
        """Raises TooFewImages below 2 rows."""
        rows = np.asarray(rows_ND)
        if len(rows) < 2:
            raise TooFewImages(f"the Frechet distance needs at least 2 images a set, one has {len(rows)}.")
        mean_D = rows.mean(axis=0, dtype=np.float64)
        root_RD = np.zeros((0, rows.shape[1]))
        for start in range(0, len(rows), _CHUNK):
            chunk_CD = rows[start : start + _CHUNK].astype(np.float64) - mean_D
            root_RD = _triangle(root_RD, chunk_CD)
        return Gaussian(len(rows), mean_D, root_RD / np.sqrt(len(rows) - 1))

    def joined(self, other: Gaussian) -> Gaussian:
        """What would have been fitted to the images of both."""
        count = self.count + other.count
        between_D = np.sqrt(self.count * other.count / count) * (self.mean_D - other.mean_D)
        scatters = [np.sqrt(each.count - 1) * each.root_RD for each in (self, other)]
        root_RD = _triangle(*scatters, between_D[None])
        mean_D = (self.count * self.mean_D + other.count * other.mean_D) / count
        return Gaussian(count, mean_D, root_RD / np.sqrt(count - 1))


def _triangle(*rows_ND: Floats) -> Floats:
    """R [R, D] with R'R the sum of the rows' outer products."""
    root_RD: Floats = np.linalg.qr(np.concatenate(rows_ND), mode="r")  # type: ignore[assignment]
    return root_RD


def frechet_distance(real_ND: ArrayLike, fake_ND: ArrayLike) -> float:
    """Squared Frechet distance between two Gaussians fitted to embeddings, in float64.

    Biased upwards, and much so while images are few against features. Raises TooFewImages below 2 rows.
    Source: Heusel et al. 2017, eq. 6.
    """
    return gaussian_distance(Gaussian.of(real_ND), Gaussian.of(fake_ND))


def gaussian_distance(real: Gaussian, fake: Gaussian) -> float:
    values_S = np.linalg.svd(real.root_RD @ fake.root_RD.T, compute_uv=False)
    return _distance(real, fake, values_S)


def _distance(real: Gaussian, fake: Gaussian, values_S: NDArray[np.floating]) -> float:
    means = np.sum((real.mean_D - fake.mean_D) ** 2)
    traces = np.sum(real.root_RD**2) + np.sum(fake.root_RD**2)
    return max(0.0, float(means + traces - 2.0 * values_S.sum()))


@dataclass(frozen=True)
class Frechet:
    """The distance, and its variance from each side: None where one person is all there is.

    endless: what ever larger samples of both sets would tend to; None where a quarter of a set has no more
    images than features.
    """

    value: float
    variance_real: float | None
    variance_fake: float | None
    endless: float | None


def frechet(
    real_ND: NDArray[np.floating],
    fake_ND: NDArray[np.floating],
    real_people: Sequence[Hashable],
    fake_people: Sequence[Hashable],
    rng: np.random.Generator,
) -> Frechet:
    """The distance with the variance over people, and extrapolated to endless sets. Raises TooFewImages."""
    parts = [_fit(real_ND, real_people, rng), _fit(fake_ND, fake_people, rng)]
    real, fake = (reduce(Gaussian.joined, each) for each in parts)
    left_RS, values_S, right_SR = np.linalg.svd(real.root_RD @ fake.root_RD.T, full_matrices=False)
    used_S = values_S > 1e-9 * values_S.max(initial=0.0)
    weights_S = 1 / np.sqrt(values_S[used_S])
    toward_real_DS = real.root_RD.T @ (left_RS[:, used_S] * weights_S)
    toward_fake_DS = fake.root_RD.T @ (right_SR[used_S].T * weights_S)
    return Frechet(
        _distance(real, fake, values_S),
        _variance(_influence(real_ND, real, fake, toward_fake_DS), real_people),
        _variance(_influence(fake_ND, fake, real, toward_real_DS), fake_people),
        _endless(parts[0], parts[1], _distance(real, fake, values_S)),
    )


def _fit(
    rows_ND: NDArray[np.floating], people: Sequence[Hashable], rng: np.random.Generator
) -> list[Gaussian]:
    """One Gaussian; or where images are plenty, one for each of four parts that share no person."""
    members = rows_by_group(people)
    order = rng.permutation(len(members))
    parts = [[members[person] for person in order[part::_PARTS]] for part in range(_PARTS)]
    if min(sum(map(len, part)) for part in parts) <= rows_ND.shape[1]:
        return [Gaussian.of(rows_ND)]
    return [Gaussian.of(rows_ND[np.concatenate(part)]) for part in parts]


def _endless(real: list[Gaussian], fake: list[Gaussian], whole: float) -> float | None:
    """Intercept of the distance against 1 / images, from the whole sets, their halves and their quarters.

    Both sets are halved together, so the bias of both goes. Source: Chong and Forsyth 2020, sec. 4, who
    extrapolate over the synthetic set alone.
    """
    if len(real) < _PARTS or len(fake) < _PARTS:
        return None
    halves = [[each[0].joined(each[1]), each[2].joined(each[3])] for each in (real, fake)]
    points = [(1, whole)]
    points += [(2, gaussian_distance(r, f)) for r, f in zip(*halves, strict=True)]
    points += [(4, gaussian_distance(r, f)) for r, f in zip(real, fake, strict=True)]
    means = {parts: np.mean([value for at, value in points if at == parts]) for parts in (1, 2, 4)}
    return float(np.polyfit(list(means), list(means.values()), 1)[1])


def _influence(rows_ND: NDArray[np.floating], own: Gaussian, other: Gaussian, toward_DS: Floats) -> Floats:
    """How much more weight on each image would move the distance [N]: the first-order term of its error.

    The nuclear norm of R_other (own covariance)^(1/2) changes with y y' by half of |S^(-1/2) U' R_other y|^2.
    """
    narrow_DS = toward_DS.astype(rows_ND.dtype)
    influence_N = np.empty(len(rows_ND))
    for start in range(0, len(rows_ND), _CHUNK):
        centred_CD = rows_ND[start : start + _CHUNK] - own.mean_D.astype(rows_ND.dtype)
        squares_C = np.sum(centred_CD**2, axis=1) - np.sum((centred_CD @ narrow_DS) ** 2, axis=1)
        influence_N[start : start + _CHUNK] = squares_C + 2 * centred_CD @ (own.mean_D - other.mean_D)
    return influence_N - influence_N.mean()


def _variance(influence_N: Floats, people: Sequence[Hashable]) -> float | None:
    """Infinitesimal jackknife over people. Source: Efron 1982, sec. 6.3."""
    sums_P = np.array([influence_N[rows].sum() for rows in rows_by_group(people)])
    if len(sums_P) < 2:
        return None
    return float(np.sum(sums_P**2) / len(influence_N) ** 2 * len(sums_P) / (len(sums_P) - 1))
