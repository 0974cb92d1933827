"""All measures of one set of embeddings against another, each with its variance over people.

kernel    unbiased squared MMD under the kernel of KID
rbf       the same under a Gaussian kernel as wide as the median distance of the reference images: that of
          CMMD (Jayasumana et al. 2024, eq. 5) but for its embedding, fixed width and factor of 1000
precision, recall, density, coverage   see prdc.py
frechet, frechet_infinity              see frechet.py

All but the last two compare every image with every other. Of larger sets they take MAX_PAIRED images drawn at
random: intervals are then narrow enough, and the cost grows with the square.

Variances come from leaving out blocks of people, or (frechet) from each person's influence.
"""

# N real images, M synthetic images, D features, B blocks of people

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.metrics.bootstrap import Sample, fitting_dtype
from anonderm.metrics.frechet import frechet
from anonderm.metrics.mmd import Discrepancy, Kernel, KernelSums, gaussian, median_distance, polynomial
from anonderm.metrics.pairwise import Floats, tiles
from anonderm.metrics.prdc import Neighbourhoods, Radii, Replicates, prdc

KERNELS = ("kernel", "rbf")
PRDC = ("precision", "recall", "density", "coverage")
BLOCKS = 10
MAX_PAIRED = 15_000

Rows = NDArray[np.float32]
People = Sequence[Hashable]


@dataclass(frozen=True)
class Measure:
    """variance: None where there are too few people for one."""

    value: float
    variance: float | None = None


Measures = dict[str, Measure]
Reasons = dict[str, str]


def compare_sets(
    real_ND: Rows, fake_MD: Rows, real_people: People, fake_people: People, k: int, rng: np.random.Generator
) -> tuple[Measures, Reasons]:
    """Every measure that the images allow, by name, and the reasons why others are missing.

    A missing frechet_infinity has no reason of its own. k: the neighbour that sets the radius of a
    neighbourhood. rng deals people into blocks.
    """
    if min(len(real_ND), len(fake_MD)) < 2:
        reason = "comparing takes at least 2 images a set."
        return {}, dict.fromkeys((*KERNELS, *PRDC, "frechet"), reason)
    dtype = fitting_dtype(min(len(real_ND), MAX_PAIRED), min(len(fake_MD), MAX_PAIRED))
    real = Sample.of(*_drawn(real_ND, real_people, rng), rng, BLOCKS, dtype)
    fake = Sample.of(*_drawn(fake_MD, fake_people, rng), rng, BLOCKS, dtype)
    found, reasons = _over_pairs(real, fake, k)
    distance = frechet(real_ND, fake_MD, real_people, fake_people, rng)
    found["frechet"] = Measure(distance.value, _sum(distance.variance_real, distance.variance_fake))
    if distance.infinity is not None:
        found["frechet_infinity"] = Measure(distance.infinity)
    return found, reasons


def _drawn(rows_ND: Rows, people: People, rng: np.random.Generator) -> tuple[Rows, People]:
    """The images that are compared pair by pair, and the people on them."""
    if len(rows_ND) <= MAX_PAIRED:
        return rows_ND, people
    chosen = np.sort(rng.permutation(len(rows_ND))[:MAX_PAIRED])
    return rows_ND[chosen], [people[row] for row in chosen]


def _over_pairs(real: Sample, fake: Sample, k: int) -> tuple[Measures, Reasons]:
    kernels = (polynomial(real.rows_ND.shape[1]), gaussian(median_distance(real.rows_ND)))
    count = min(len(real), len(fake))
    real_sums, real_radii = _within(real, kernels, k if count > k else None)
    fake_sums, fake_radii = _within(fake, kernels, k if count > k else None)
    across = KernelSums.empty(real, fake, len(kernels))
    real_balls = Neighbourhoods(real, real_radii, fake) if real_radii is not None else None
    fake_balls = Neighbourhoods(fake, fake_radii, real) if fake_radii is not None else None
    for tile in tiles(real.rows_ND, fake.rows_ND):
        across.add(real, fake, kernels, tile)
        if real_balls and fake_balls:
            real_balls.add(tile)
            fake_balls.add(tile, transposed=True)
    found, reasons = _kernel_distances(Discrepancy(real_sums, fake_sums, across))
    if not (real_balls and fake_balls):
        reason = f"needs at least {k + 1} images a set, and one has {count}."
        return found, reasons | dict.fromkeys(PRDC, reason)
    without_any = min(len(sample) - sample.sizes_B.max() for sample in (real, fake))
    for name, each in prdc(real_balls, fake_balls, k).items():
        found[name] = _measured(each) if without_any > k else Measure(each.value)
    return found, reasons


def _within(sample: Sample, kernels: Sequence[Kernel], k: int | None) -> tuple[KernelSums, Floats | None]:
    """Kernel sums over the pairs of different people of one set, and with k the squared radii."""
    sums = KernelSums.empty(sample, sample, len(kernels))
    radii = Radii(sample, k) if k else None
    for tile in tiles(sample.rows_ND, sample.rows_ND):
        sums.add(sample, sample, kernels, tile)
        if radii:
            radii.add(tile)
    return sums.without_same_person(sample, kernels), radii.squared() if radii else None


def _kernel_distances(discrepancy: Discrepancy) -> tuple[Measures, Reasons]:
    whole_L = discrepancy.value()
    if np.isnan(whole_L).any():
        return {}, dict.fromkeys(KERNELS, "needs images of at least 2 people a set.")
    real_BL, fake_BL = discrepancy.without_each_block()
    return {
        name: _measured(Replicates(float(whole_L[index]), real_BL[:, index], fake_BL[:, index]))
        for index, name in enumerate(KERNELS)
    }, {}


def _measured(each: Replicates) -> Measure:
    return Measure(each.value, _sum(*map(_jackknife, (each.without_real_B, each.without_fake_B))))


def _jackknife(without_B: Floats) -> float | None:
    """Variance from the values without each block; None with one block. Source: Kott 2001, eq. 2."""
    if len(without_B) < 2 or np.isnan(without_B).any():
        return None
    return float((len(without_B) - 1) * without_B.var())


def _sum(*variances: float | None) -> float | None:
    known = [variance for variance in variances if variance is not None]
    return sum(known) if len(known) == len(variances) else None
