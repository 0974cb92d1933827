"""Scores of several trainings on one test set, over the same resamples of its people.

Shapes: N faces, P people, S trainings (seeds), R resamples, K classes. Row 0 of everything with R rows is the
original sample: it holds every person once.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.results.base import Score
from anonderm.core.splits import rows_by_group
from anonderm.metrics.confusion import Metric

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Draws:
    """How often each person is in each resample; `person_N` is the number of each face's person."""

    counts_RP: NDArray[np.int64]
    person_N: NDArray[np.intp]

    @staticmethod
    def of(people: Sequence[Hashable], rng: np.random.Generator, repeats: int) -> Draws:
        """The same draws as `bootstrap.interval` with the same generator."""
        members = rows_by_group(people)
        person_N = np.empty(len(people), np.intp)
        for person, rows in enumerate(members):
            person_N[rows] = person
        count = len(members)
        drawn = [np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(repeats)]
        return Draws(np.stack([np.ones(count, np.int64), *drawn]), person_N)

    def matrices(
        self,
        truth_N: NDArray[np.intp],
        predicted_SN: NDArray[np.intp],
        classes: int,
        among_N: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.int64]:
        """Confusion matrices [R, S, K, K] of all faces, or of those `among_N`."""
        cells, people = classes * classes, self.counts_RP.shape[1]
        kept_N = np.ones(len(truth_N), bool) if among_N is None else among_N
        found = []
        for predicted_N in predicted_SN:
            cell_N = self.person_N * cells + truth_N * classes + predicted_N
            by_person_PC = np.bincount(cell_N[kept_N], minlength=people * cells).reshape(people, cells)
            found.append((self.counts_RP @ by_person_PC).reshape(-1, classes, classes))
        return np.stack(found, axis=1)


def values(metrics: Mapping[str, Metric], matrices_RSKK: NDArray[np.int64]) -> dict[str, Values]:
    """Each metric, [R, S]; NaN where a resample leaves it undefined (it holds no face of some class)."""
    shape = matrices_RSKK.shape
    filled = matrices_RSKK.reshape(-1, *shape[2:])
    defined = filled.sum((1, 2)) > 0
    found = {}
    for name, metric in metrics.items():
        each = [metric(matrix) if some else np.nan for matrix, some in zip(filled, defined, strict=True)]
        found[name] = np.array(each).reshape(shape[:2])
    return found


def score(values_R: Values, n: int, *, higher_is_better: bool, note: str = "") -> Score | None:
    """The value with all people, and its 95% percentile interval; None where it is undefined."""
    value, resampled = values_R[0], values_R[1:]
    resampled = resampled[~np.isnan(resampled)]
    if np.isnan(value):
        return None
    if len(resampled) == 0:
        return Score(float(value), n=n, higher_is_better=higher_is_better, note=note)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Score(float(value), float(low), float(high), n, higher_is_better, note)
