"""The squared maximum mean discrepancy, unbiased, under polynomial and Gaussian kernels.

Images of one person are similar because of the person, so pairs of them do not count towards how similar the
images of a set are. Sums over pairs are kept by blocks of people: leaving a block out needs no second pass.
Sources: Gretton et al. 2012, eq. 3; Binkowski et al. 2018, sec. 4; Jayasumana et al. 2024, eq. 5.
"""

# N, M rows of a set, D features, B blocks of people, A x B items of a tile, P people with N images each

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import TooFewImages
from anonderm.metrics.bootstrap import Sample
from anonderm.metrics.pairwise import Floats, Rows, Tile, tiles

Kernel = Callable[[Rows, Rows], Rows]
"""Of products and squared distances, arrays of one shape."""

_BATCH_ELEMENTS = 2**22


def polynomial(features: int) -> Kernel:
    """(x.y / D + 1)^3, the kernel of KID."""

    def kernel(products: Rows, squared: Rows) -> Rows:
        base = products / features
        base += 1
        return base * base * base  # many times as fast as ** 3

    return kernel


def gaussian(width: float) -> Kernel:
    """width: the standard deviation, in units of distance."""
    return lambda products, squared: np.exp(squared * (-0.5 / width**2))


def kernel_distance(
    real_ND: Rows,
    fake_MD: Rows,
    real_people: Sequence[Hashable] | None = None,
    fake_people: Sequence[Hashable] | None = None,
) -> float:
    """Squared MMD under the kernel of KID. It is unbiased, so it may fall below 0.

    real_people, fake_people: the person on each row; without them every row shows another person. Raises
    TooFewImages below 2 rows or 2 people.
    """
    kernels, rng = (polynomial(real_ND.shape[1]),), np.random.default_rng(0)
    real, fake = (
        Sample.of(rows, range(len(rows)) if people is None else people, rng, 1)
        for rows, people in ((real_ND, real_people), (fake_MD, fake_people))
    )
    if min(len(real.people), len(fake.people)) < 2:
        raise TooFewImages(
            "the kernel distance needs images of at least 2 people a set.", "Compare larger sets."
        )
    own, other = (across(each, each, kernels).without_same_person(each, kernels) for each in (real, fake))
    return float(Discrepancy(own, other, across(real, fake, kernels)).value()[0])


def median_distance(rows_ND: Rows, most: int = 1000) -> float:
    """Of the pairs of at most `most` rows; 1 where all are equal. Source: Gretton et al. 2012, sec. 8."""
    from scipy.spatial.distance import pdist

    between = pdist(rows_ND[:: max(1, -(-len(rows_ND) // most))])
    middle = (len(between) - 1) // 2
    return float(np.partition(between, middle)[middle] if len(between) else 0.0) or 1.0


@dataclass(frozen=True)
class KernelSums:
    """Sums of each kernel [L, B, B] over the pairs of two blocks, and the number of those pairs [B, B]."""

    sums_LBB: Floats
    pairs_BB: NDArray[np.int64]

    @staticmethod
    def empty(one: Sample, other: Sample, kernels: int) -> KernelSums:
        sums_LBB = np.zeros((kernels, one.blocks, other.blocks))
        return KernelSums(sums_LBB, np.outer(one.sizes_B, other.sizes_B))

    def add(self, one: Sample, other: Sample, kernels: Sequence[Kernel], tile: Tile) -> None:
        """Add the pairs of one tile, and of its transpose where it is mirrored."""
        pieces, other_pieces = one.pieces(tile.rows), other.pieces(tile.columns)
        starts = [rows.start for _, rows in pieces]
        blocks = [block for block, _ in pieces]
        for index, kernel in enumerate(kernels):
            table_AB = kernel(tile.products_AB, tile.squared_AB)
            for other_block, columns in other_pieces:
                sums_B = np.add.reduceat(table_AB[:, columns].sum(axis=1, dtype=np.float64), starts)
                self.sums_LBB[index, blocks, other_block] += sums_B
                if tile.mirrored:
                    self.sums_LBB[index, other_block, blocks] += sums_B

    def mean(self, kept: NDArray[np.bool_], others_kept: NDArray[np.bool_]) -> Floats:
        """Mean [L] over the pairs of the blocks that are kept; NaN without any."""
        pairs = kept @ self.pairs_BB @ others_kept
        return (kept @ self.sums_LBB @ others_kept) / pairs if pairs else np.full(len(self.sums_LBB), np.nan)

    def without_same_person(self, sample: Sample, kernels: Sequence[Kernel]) -> KernelSums:
        """For a set with itself: leave out the pairs that show one person."""
        sums_LBB, pairs_BB = self.sums_LBB.copy(), self.pairs_BB.copy()
        for block, rows_PN in _people_by_size(sample):
            rows_PND = sample.rows_ND[rows_PN]
            products_PNN = rows_PND @ rows_PND.transpose(0, 2, 1)
            squares_PN = np.einsum("pnn->pn", products_PNN)
            squared_PNN = np.maximum(0, squares_PN[:, :, None] + squares_PN[:, None] - 2 * products_PNN)
            for index, kernel in enumerate(kernels):
                sums_LBB[index, block, block] -= kernel(products_PNN, squared_PNN).sum(dtype=np.float64)
            pairs_BB[block, block] -= products_PNN.size
        return KernelSums(sums_LBB, pairs_BB)


def across(one: Sample, other: Sample, kernels: Sequence[Kernel]) -> KernelSums:
    sums = KernelSums.empty(one, other, len(kernels))
    for tile in tiles(one.rows_ND, other.rows_ND):
        sums.add(one, other, kernels, tile)
    return sums


@dataclass(frozen=True)
class Discrepancy:
    """Sums over the pairs of real images, of synthetic images, and of a real and a synthetic one."""

    real: KernelSums
    fake: KernelSums
    across: KernelSums

    def value(
        self, real_kept: NDArray[np.bool_] | None = None, fake_kept: NDArray[np.bool_] | None = None
    ) -> Floats:
        """Squared MMD [L] over the blocks that are kept; NaN with fewer than two people on a side."""
        kept, others = (
            np.ones(len(sums.pairs_BB), bool) if chosen is None else chosen
            for chosen, sums in ((real_kept, self.real), (fake_kept, self.fake))
        )
        own_L = self.real.mean(kept, kept) + self.fake.mean(others, others)
        return own_L - 2 * self.across.mean(kept, others)

    def without_each_block(self) -> tuple[Floats, Floats]:
        """Squared MMD [B, L] without each block of real people, and without each block of synthetic ones."""
        real = [self.value(real_kept=~one) for one in np.eye(len(self.real.pairs_BB), dtype=bool)]
        fake = [self.value(fake_kept=~one) for one in np.eye(len(self.fake.pairs_BB), dtype=bool)]
        return np.array(real), np.array(fake)


def _people_by_size(sample: Sample) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """The rows [P, N] of people of one block with N images each, not too many at a time."""
    block_of_N = sample.block_of_N
    alike: dict[tuple[int, int], list[int]] = {}
    for person in sample.people:
        alike.setdefault((int(block_of_N[person.start]), person.stop - person.start), []).append(person.start)
    for (block, count), starts in alike.items():
        batch = max(1, _BATCH_ELEMENTS // (count * max(count, sample.rows_ND.shape[1])))
        for first in range(0, len(starts), batch):
            yield block, np.array(starts[first : first + batch])[:, None] + np.arange(count)
