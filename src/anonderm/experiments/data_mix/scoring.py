"""Scores, differences and confusion matrices of all arms, from the predictions of their classifiers.

Shapes: N faces, P people, S trainings (seeds), R resamples, K classes. All arms are scored over the same
resamples of the people; row 0 of everything with R rows is the original sample: it holds every person once.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.records import SEVERITIES, TONES
from anonderm.core.results.base import Score
from anonderm.core.results.classifier import ConfusionMatrix
from anonderm.core.results.data_mix import ArmScores, Difference, ToneScores
from anonderm.core.rundir import RunDir
from anonderm.core.splits import families, rows_by_group
from anonderm.evaluate.statistics import classification_metrics, classification_scores
from anonderm.experiments.data_mix.arms import REAL, SYNTHETIC
from anonderm.experiments.data_mix.config import DataMixConfig
from anonderm.metrics import confusion
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


REFERENCE = {REAL: "trtr", SYNTHETIC: "tsts"}
"""The arm that the others on the same test set are compared with."""
_BY_TONE = ("accuracy", "macro_f1")

_WHOLE = ""
# Each metric, [R, S], of all faces (_WHOLE) and of each group of skin tone.
Measured = dict[str, dict[str, Values]]


@dataclass(frozen=True)
class TestSet:
    """Faces with the predictions of each arm's trainings ([S, N] class indices), by the arm's test name."""

    __test__ = False

    faces: FaceSet
    predicted: dict[str, NDArray[np.intp]]

    @property
    def people(self) -> list[Any]:
        """The unit of resampling: people; of synthetic faces, those that share a parent or a latent."""
        drawn = all(face.subject is None for face in self.faces)
        return families(self.faces).tolist() if drawn else [face.person for face in self.faces]

    def truth(self, classes: tuple[str, ...]) -> NDArray[np.intp]:
        return np.array([classes.index(str(face.label)) for face in self.faces], np.intp)

    def tones(self) -> dict[str, NDArray[np.bool_]]:
        """Which faces are in each group of skin tone that has at least two people."""
        ita_N = np.array([np.nan if face.ita is None else face.ita for face in self.faces], float)
        people_N = np.array([str(person) for person in self.people])
        found = {name: (ita_N > low) & (ita_N <= high) for name, (low, high) in TONES.items()}
        return {name: among_N for name, among_N in found.items() if len(set(people_N[among_N])) >= 2}


def score_arms(
    config: DataMixConfig, tests: Mapping[str, TestSet], classes: tuple[str, ...], run: RunDir
) -> dict[str, ArmScores]:
    """Every arm's scores on each test set, and their differences to the reference, by test name."""
    ordered = config.head == "corn" or set(classes) <= set(SEVERITIES)
    metrics = classification_metrics(classes, ordered=ordered)
    found: dict[str, ArmScores] = {}
    with run.bar("intervals", sum(len(test.predicted) for test in tests.values())) as bar:
        for test_name, test in tests.items():
            draws = Draws.of(test.people, np.random.default_rng(config.seed), config.bootstrap_samples)
            truth_N = test.truth(classes)
            groups = {_WHOLE: np.ones(len(truth_N), bool)} | (test.tones() if test_name == REAL else {})
            counts = {name: int(among_N.sum()) for name, among_N in groups.items()}
            reference: Measured | None = None
            for arm in sorted(test.predicted, key=lambda arm: arm != REFERENCE[test_name]):  # reference first
                measured: Measured = {}
                for group, among_N in groups.items():
                    matrices_RSKK = draws.matrices(truth_N, test.predicted[arm], len(classes), among_N)
                    wanted = {name: metrics[name] for name in _BY_TONE} if group else metrics
                    measured[group] = values(wanted, matrices_RSKK)
                matrix = _confusion(truth_N, test.predicted[arm], classes)
                found[arm] = _arm_scores(arm, measured, reference, matrix, counts)
                reference = reference or measured
                bar.advance()
    return found


def _confusion(
    truth_N: NDArray[np.intp], predicted_SN: NDArray[np.intp], classes: tuple[str, ...]
) -> ConfusionMatrix:
    """Summed over the trainings."""
    each = [confusion.confusion_matrix(truth_N, predicted_N, len(classes)) for predicted_N in predicted_SN]
    return ConfusionMatrix(classes, tuple(map(tuple, np.sum(each, axis=0).tolist())))


def _arm_scores(
    arm: str,
    measured: Measured,
    reference: Measured | None,
    matrix: ConfusionMatrix,
    counts: Mapping[str, int],
) -> ArmScores:
    """Means over the trainings."""
    scores = {group: _scores(of_group, counts[group]) for group, of_group in measured.items()}
    difference = None
    if reference is not None:
        apart = {
            group: _scores(of_group, counts[group], reference[group]) for group, of_group in measured.items()
        }
        difference = Difference(classification_scores(apart[_WHOLE], matrix.classes), _tone_scores(apart))
    return ArmScores(
        name=arm,
        scores=classification_scores(scores[_WHOLE], matrix.classes),
        by_tone=_tone_scores(scores),
        confusion=matrix,
        difference=difference,
    )


def _tone_scores(scores: Mapping[str, Mapping[str, Score]]) -> dict[str, ToneScores]:
    return {
        tone: ToneScores(of_tone["accuracy"], of_tone.get("macro_f1"))
        for tone, of_tone in scores.items()
        if tone != _WHOLE
    }


def _scores(
    measured: Mapping[str, Values], n: int, reference: Mapping[str, Values] | None = None
) -> dict[str, Score]:
    """Of each metric, or of its difference to the reference; without those that are undefined."""
    found = {}
    for name, each_RS in measured.items():
        values_R, note = each_RS.mean(1), _spread(each_RS)
        if reference is not None:
            values_R, note = values_R - reference[name].mean(1), "over the same people"
        each = score(values_R, n, higher_is_better=not name.endswith("mae"), note=note)
        if each is not None:
            found[name] = each
    return found


def _spread(values_RS: Values) -> str:
    count = values_RS.shape[1]
    if count == 1:
        return "of one training"
    return f"mean of {count} trainings; standard deviation {values_RS[0].std(ddof=1):.3g}"
