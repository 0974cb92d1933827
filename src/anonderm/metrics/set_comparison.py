"""All measures of one set of embeddings against another, each with its variance over people.

kernel    unbiased squared MMD under (x.y / D + 1)^3. Binkowski et al. 2018, sec. 4
rbf       the same under a Gaussian kernel as wide as the median distance of the reference images: CMMD's
          (Jayasumana et al. 2024, eq. 5) but for its embedding, its fixed width and its factor of 1000
precision, recall, density, coverage   evaluate/balls.py
frechet, frechet_infinity   the distance of two Gaussians, and that of endless sets: evaluate/frechet.py

All but the last compare every image with every other: of larger sets they take MOST_PAIRED images drawn at
random, beyond which their intervals are narrow enough and their cost grows with the square.

Images of one person are alike because of the person: pairs of them don't count towards how alike a set is.
Variances come from leaving out blocks of people, or (frechet) from each person's influence.
"""

# N real images, M synthetic images, D features, B blocks of people

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.metrics.frechet import frechet
from anonderm.metrics.neighbours import Nearest
from anonderm.metrics.pairs import Floats, Kernels, KernelSums, Sample, fitting_dtype, median_distance, tiles
from anonderm.metrics.prdc import Balls, Replicated

BALLS = ("precision", "recall", "density", "coverage")
BLOCKS = 10
MOST_PAIRED = 15_000

Rows = NDArray[np.float32]
People = Sequence[Hashable]


@dataclass(frozen=True)
class Measure:
    """variance: None where there are too few people to tell."""

    value: float
    variance: float | None = None


Found = dict[str, Measure]
Reasons = dict[str, str]


def measure(
    real_ND: Rows, fake_MD: Rows, real_people: People, fake_people: People, k: int, rng: np.random.Generator
) -> tuple[Found, Reasons]:
    """Every measure that the images at hand support, by name, and for the others, why not.

    frechet_infinity is silently there or not: whoever reads frechet learns from its bias.

    k: neighbours that set the radius of a ball. rng deals people into blocks.
    """
    if min(len(real_ND), len(fake_MD)) < 2:
        reason = "comparing takes at least 2 images a set."
        return {}, dict.fromkeys((*Kernels.NAMES, *BALLS, "frechet"), reason)
    dtype = fitting_dtype(min(len(real_ND), MOST_PAIRED), min(len(fake_MD), MOST_PAIRED))
    real = Sample.of(*_drawn(real_ND, real_people, rng), rng, BLOCKS, dtype)
    fake = Sample.of(*_drawn(fake_MD, fake_people, rng), rng, BLOCKS, dtype)
    found, reasons = _over_pairs(real, fake, k)
    distance = frechet(real_ND, fake_MD, real_people, fake_people, rng)
    found["frechet"] = Measure(distance.value, _sum(distance.variance_real, distance.variance_fake))
    if distance.endless is not None:
        found["frechet_infinity"] = Measure(distance.endless)
    return found, reasons


def _drawn(rows_ND: Rows, people: People, rng: np.random.Generator) -> tuple[Rows, People]:
    """The images that are compared pair by pair, and whose they are."""
    if len(rows_ND) <= MOST_PAIRED:
        return rows_ND, people
    chosen = np.sort(rng.permutation(len(rows_ND))[:MOST_PAIRED])
    return rows_ND[chosen], [people[row] for row in chosen]


def _over_pairs(real: Sample, fake: Sample, k: int) -> tuple[Found, Reasons]:
    kernels = Kernels(real.rows_ND.shape[1], median_distance(real.rows_ND))
    count = min(len(real), len(fake))
    enough = count > k
    real_sums, real_reach_N1B = _within(real, kernels, k if enough else None)
    fake_sums, fake_reach_M1B = _within(fake, kernels, k if enough else None)
    across = KernelSums.empty(real, fake)
    real_balls = Balls(real, real_reach_N1B, fake) if real_reach_N1B is not None else None
    fake_balls = Balls(fake, fake_reach_M1B, real) if fake_reach_M1B is not None else None
    for tile in tiles(real, fake):
        across.add(real, fake, kernels, tile)
        if real_balls and fake_balls:
            real_balls.add(tile)
            fake_balls.add_turned(tile)
    found, reasons = _kernel_distances(real_sums, fake_sums, across)
    if not (real_balls and fake_balls):
        reason = f"needs at least {k + 1} images a set, and one has {count}."
        return found, reasons | dict.fromkeys(BALLS, reason)
    replicated = dict(zip(BALLS, _shares(real_balls, fake_balls, k), strict=True))
    without_any = min(len(sample) - sample.sizes_B.max() for sample in (real, fake))
    for name, each in replicated.items():
        found[name] = _measured(each) if without_any > k else Measure(each.value)
    return found, reasons


def _within(sample: Sample, kernels: Kernels, k: int | None) -> tuple[KernelSums, Floats | None]:
    """Kernel sums over the pairs of different people of one set, and the reach of its balls where wanted."""
    both = KernelSums.empty(sample, sample)
    nearest = Nearest(sample, k) if k else None
    for tile in tiles(sample, sample):
        both.add(sample, sample, kernels, tile)
        if nearest:
            nearest.add(tile)
    return both.without_same_person(sample, kernels), nearest.reach() if nearest else None


def _shares(real: Balls, fake: Balls, k: int) -> tuple[Replicated, ...]:
    """In the order of BALLS."""
    density = real.balls_a_guest()
    scaled = Replicated(density.value / k, density.without_real_B / k, density.without_fake_B / k)
    return real.guests_inside(), fake.guests_inside().swapped(), scaled, real.filled()


def _kernel_distances(real: KernelSums, fake: KernelSums, across: KernelSums) -> tuple[Found, Reasons]:
    all_real, all_fake = (np.ones(len(each.pairs_BB), bool) for each in (real, fake))

    def distance(real_kept: NDArray[np.bool_], fake_kept: NDArray[np.bool_]) -> Floats:
        own_2 = real.mean(real_kept, real_kept) + fake.mean(fake_kept, fake_kept)
        return own_2 - 2 * across.mean(real_kept, fake_kept)

    whole_2 = distance(all_real, all_fake)
    if np.isnan(whole_2).any():
        return {}, dict.fromkeys(Kernels.NAMES, "needs images of at least 2 people a set.")
    without_real_B2 = np.array([distance(~one, all_fake) for one in np.eye(len(all_real), dtype=bool)])
    without_fake_B2 = np.array([distance(all_real, ~one) for one in np.eye(len(all_fake), dtype=bool)])
    return {
        name: _measured(Replicated(float(whole_2[i]), without_real_B2[:, i], without_fake_B2[:, i]))
        for i, name in enumerate(Kernels.NAMES)
    }, {}


def _measured(each: Replicated) -> Measure:
    return Measure(each.value, _sum(*map(_jackknife, (each.without_real_B, each.without_fake_B))))


def _jackknife(without_B: Floats) -> float | None:
    """Variance from a value without each block; none from one block. Source: Kott 2001, eq. 2."""
    if len(without_B) < 2 or np.isnan(without_B).any():
        return None
    return float((len(without_B) - 1) * without_B.var())


def _sum(*variances: float | None) -> float | None:
    known = [variance for variance in variances if variance is not None]
    return sum(known) if len(known) == len(variances) else None
