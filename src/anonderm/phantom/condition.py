"""Skin conditions: which lesions, how many and how large."""

import math
from dataclasses import dataclass

import numpy as np

from anonderm.core.errors import ConfigError
from anonderm.core.records import LESION_KINDS

CLASSES = ("healthy", "mild", "moderate", "severe", "very severe", "rosacea")

# Lesions a face: lower quartile, median, upper quartile of the experts' counts on ACNE04 (Wu et al. 2019).
COUNT_QUARTILES = {
    "mild": (7, 12, 21),
    "moderate": (14, 22, 36),
    "severe": (27, 44, 73),
    "very severe": (58, 74, 124),
}
# Radius as a share of photo width on ACNE04: 5th, 50th, 95th percentile.
RADIUS_PERCENTILES = (0.0032, 0.0068, 0.0167)
_KIND_SHARES = {
    "mild": (0.64, 0.29, 0.07, 0.00),
    "moderate": (0.40, 0.38, 0.19, 0.03),
    "severe": (0.24, 0.40, 0.26, 0.10),
    "very severe": (0.18, 0.37, 0.28, 0.17),
    "rosacea": (0.00, 0.75, 0.25, 0.00),
}
_KIND_SIZES = {"comedone": 0.65, "papule": 1.0, "pustule": 1.15, "nodule": 2.2}
_Z_QUARTILE, _Z_95 = 0.67449, 1.64485


@dataclass(frozen=True, slots=True)
class Spot:
    """One lesion to draw: kind, radius as a share of photo width, and contrast (about 1)."""

    kind: str
    radius: float
    strength: float


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of a person's skin; `seed` determines the positions of spots and vessels."""

    severity: str
    spots: tuple[Spot, ...] = ()
    erythema: float = 0.0
    vessels: int = 0
    seed: int = 0


def _two_piece_lognormal(
    rng: np.random.Generator, low: float, median: float, high: float, z: float, count: int
) -> np.ndarray:
    """Lognormal draws whose quantiles at -z, 0 and +z are low, median and high; truncated at 2.4."""
    normal = np.clip(rng.normal(size=count), -2.4, 2.4)
    scale = np.where(normal < 0, math.log(median / low), math.log(high / median)) / z
    return median * np.exp(scale * normal)


def sample_condition(rng: np.random.Generator, severity: str) -> Condition:
    """A random condition of this class. Raises ConfigError for a class that is not one of CLASSES."""
    if severity not in CLASSES:
        raise ConfigError(f"the phantom has no class {severity!r}.", f"Choose from: {', '.join(CLASSES)}.")
    seed = int(rng.integers(2**31))
    if severity == "healthy":
        return Condition(severity, seed=seed)
    if severity == "rosacea":
        spots = _sample_spots(rng, severity, int(rng.integers(2, 15)))
        return Condition(severity, spots, float(rng.uniform(0.6, 1.1)), int(rng.integers(6, 18)), seed)
    low, median, high = COUNT_QUARTILES[severity]
    count = max(1, round(float(_two_piece_lognormal(rng, low, median, high, _Z_QUARTILE, 1)[0])))
    return Condition(severity, _sample_spots(rng, severity, count), seed=seed)


def _sample_spots(rng: np.random.Generator, severity: str, count: int) -> tuple[Spot, ...]:
    """Radii first, then kinds, so that larger spots tend to be nodules and smaller ones comedones.

    The radii thus follow ACNE04 for any mixture of kinds.
    """
    low, median, high = RADIUS_PERCENTILES
    radii = np.sort(_two_piece_lognormal(rng, low, median, high, _Z_95, count))
    kinds = rng.choice(LESION_KINDS, size=count, p=_KIND_SHARES[severity])
    tendency = np.log([_KIND_SIZES[kind] for kind in kinds]) + rng.normal(0, 0.35, count)
    ordered = kinds[np.argsort(tendency)]
    strengths = np.clip(rng.normal(1.0, 0.15, count), 0.65, 1.35)
    return tuple(
        Spot(str(kind), float(radius), float(strength))
        for kind, radius, strength in zip(ordered, radii, strengths, strict=True)
    )
