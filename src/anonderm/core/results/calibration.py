"""The error rates of a matcher: what a calibration measures."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

Estimate = tuple[float, float, float]
"""A value and its 95% interval."""


@dataclass(frozen=True, slots=True)
class Level:
    """The largest distance at which two faces match, for a target false match rate.

    how: measured; extrapolated (too few pairs for so small a rate: from a normal distribution fitted to the
    median and the lower 16% of the impostor distances); or unreachable: there is no threshold. fmr, fnmr: the
    measured rates, each with its 95% interval over people.
    """

    target_fmr: float
    threshold: float | None
    how: Literal["measured", "extrapolated", "unreachable"]
    fmr: Estimate | None = None
    fnmr: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The error rates of one matcher on one set of faces.

    genuine, impostor: number of pairs. genuine_source: photos (several of a person) or copies (altered copies
    of one photo; these give a lower bound of the FNMR, as two photos differ more). uninformative: the reason
    why the matcher cannot be relied on here, or None. curve: [threshold, FMR, FNMR], ascending.
    impostor_spread: median of the impostor distances, and how far their lower 16% lie below it; None without
    impostor pairs.
    """

    matcher: str
    faces: int
    failed_to_enrol: int
    genuine: int
    genuine_people: int
    genuine_source: Literal["photos", "copies"]
    impostor: int
    impostor_people: int
    eer: float | None
    levels: tuple[Level, ...]
    uninformative: str | None
    curve: tuple[Estimate, ...]
    impostor_spread: tuple[float, float] | None

    def extrapolated_threshold(self, fmr: float) -> float | None:
        """The threshold for any rate; None where it would not be above 0."""
        return None if self.impostor_spread is None else extrapolated_threshold(self.impostor_spread, fmr)

    def threshold(self, fmr: float) -> float | None:
        """For a calibrated rate; None where it is unreachable."""
        return next(level.threshold for level in self.levels if level.target_fmr == fmr)


def extrapolated_threshold(spread: tuple[float, float], fmr: float) -> float | None:
    """The quantile of a normal distribution with this `impostor_spread`; None where it is not above 0."""
    threshold = spread[0] + NormalDist().inv_cdf(fmr) * spread[1]
    return threshold if threshold > 0 else None
