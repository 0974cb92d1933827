"""Scores, differences and confusion matrices of all arms, from the predictions of their classifiers.

Shapes: N faces, S trainings (seeds), R resamples, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.records import SEVERITIES
from anonderm.core.results.base import Score
from anonderm.core.results.classifier import ConfusionMatrix
from anonderm.core.results.data_mix import ArmScores, Difference, ToneScores
from anonderm.core.rundir import RunDir
from anonderm.core.splits import families
from anonderm.core.tones import TONES
from anonderm.evaluate.statistics import classification_metrics, classification_scores
from anonderm.experiments.data_mix.arms import REAL, SYNTHETIC
from anonderm.experiments.data_mix.config import DataMixConfig
from anonderm.experiments.data_mix.resampling import Draws, Values, score, values
from anonderm.metrics import confusion

REFERENCE = {REAL: "trtr", SYNTHETIC: "tsts"}
"""The arm that the others on the same test set are compared with."""
_BY_TONE = ("accuracy", "macro_f1")
_FEWEST_PEOPLE = 2

_WHOLE = ""
# Each metric, [R, S], of all faces (_WHOLE) and of each group of skin tone.
Measured = dict[str, dict[str, Values]]


@dataclass(frozen=True)
class TestSet:
    """Faces with the predictions of each arm's trainings ([S, N] class indices), by the arm's test name."""

    __test__ = False

    faces: FaceSet
    people: Sequence[Any]
    predicted: Mapping[str, NDArray[np.intp]]

    def truth(self, classes: tuple[str, ...]) -> NDArray[np.intp]:
        return np.array([classes.index(str(face.label)) for face in self.faces], np.intp)

    def tones(self) -> dict[str, NDArray[np.bool_]]:
        """Which faces are in each group of skin tone that has at least two people."""
        ita_N = np.array([np.nan if face.ita is None else face.ita for face in self.faces], float)
        people_N = np.array([str(person) for person in self.people])
        found = {name: (ita_N > low) & (ita_N <= high) for name, (low, high) in TONES.items()}
        return {
            name: among_N for name, among_N in found.items() if len(set(people_N[among_N])) >= _FEWEST_PEOPLE
        }


def people_of(faces: FaceSet) -> list[Any]:
    """The unit of resampling: people; of synthetic faces, those that share a parent or a latent."""
    drawn = all(face.subject is None for face in faces)
    return families(faces).tolist() if drawn else [face.person for face in faces]


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
            group: _differences(of_group, reference[group], counts[group])
            for group, of_group in measured.items()
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


def _scores(measured: Mapping[str, Values], n: int) -> dict[str, Score]:
    found = {
        name: score(each_RS.mean(1), n, higher_is_better=not name.endswith("mae"), note=_spread(each_RS))
        for name, each_RS in measured.items()
    }
    return {name: each for name, each in found.items() if each is not None}


def _differences(measured: Mapping[str, Values], reference: Mapping[str, Values], n: int) -> dict[str, Score]:
    found = {
        name: score(
            each_RS.mean(1) - reference[name].mean(1),
            n,
            higher_is_better=not name.endswith("mae"),
            note="over the same people",
        )
        for name, each_RS in measured.items()
    }
    return {name: each for name, each in found.items() if each is not None}


def _spread(values_RS: Values) -> str:
    count = values_RS.shape[1]
    if count == 1:
        return "of one training"
    return f"mean of {count} trainings; standard deviation {values_RS[0].std(ddof=1):.3g}"
