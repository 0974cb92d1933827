"""From what the classifiers of all arms said to scores, differences and confusion matrices.

Shapes: N faces, S trainings (seeds), R resamples.
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
from anonderm.core.rundir import RunDir
from anonderm.core.splits import families
from anonderm.core.tones import TONES
from anonderm.evaluate.statistics import grading_metrics
from anonderm.experiments.data_mix.arms import REAL, SYNTHETIC
from anonderm.experiments.data_mix.config import DataMixConfig
from anonderm.experiments.data_mix.resampling import Draws, Values, score, values
from anonderm.metrics import confusion

REFERENCE = {REAL: "trtr", SYNTHETIC: "tsts"}
"""With which arm the others on the same test set are compared."""
_BY_TONE = ("accuracy", "macro_f1")
_FEWEST_PEOPLE = 2


@dataclass(frozen=True)
class Tested:
    """A test set, and what each arm's trainings said of it ([S, N] class indices), by the score's name."""

    faces: FaceSet
    people: Sequence[Any]
    decided: Mapping[str, NDArray[np.intp]]

    def truth(self, classes: tuple[str, ...]) -> NDArray[np.intp]:
        return np.array([classes.index(str(face.label)) for face in self.faces], np.intp)

    def tones(self) -> dict[str, NDArray[np.bool_]]:
        """Which faces are of each skin tone that at least two people have."""
        ita_N = np.array([np.nan if face.ita is None else face.ita for face in self.faces], float)
        people_N = np.array([str(person) for person in self.people])
        found = {name: (ita_N > low) & (ita_N <= high) for name, (low, high) in TONES.items()}
        return {
            name: among_N for name, among_N in found.items() if len(set(people_N[among_N])) >= _FEWEST_PEOPLE
        }


def people_of(faces: FaceSet) -> list[Any]:
    """Whom a resample takes as one: people; of synthetic faces, those with a parent or latent in common."""
    drawn = all(face.subject is None for face in faces)
    return families(faces).tolist() if drawn else [face.person for face in faces]


def scores_of(
    config: DataMixConfig, tests: Mapping[str, Tested], classes: tuple[str, ...], run: RunDir
) -> dict[str, Score]:
    """Every arm's scores, and how far it is from the reference of its test set; also by skin tone."""
    ordered = config.head == "corn" or set(classes) <= set(SEVERITIES)
    metrics = grading_metrics(classes, ordered=ordered)
    scores: dict[str, Score] = {}
    with run.bar("intervals", sum(len(tested.decided) for tested in tests.values())) as bar:
        for name, tested in tests.items():
            draws = Draws.of(tested.people, np.random.default_rng(config.seed), config.bootstrap_samples)
            truth_N = tested.truth(classes)
            strata = {"": np.ones(len(truth_N), bool)} | (tested.tones() if name == REAL else {})
            against: dict[str, dict[str, Values]] = {}
            for arm in sorted(tested.decided, key=lambda arm: arm != REFERENCE[name]):  # the reference first
                for stratum, among_N in strata.items():
                    matrices_RSKK = draws.matrices(truth_N, tested.decided[arm], len(classes), among_N)
                    wanted = {key: metrics[key] for key in _BY_TONE} if stratum else metrics
                    found = values(wanted, matrices_RSKK)
                    base = against.setdefault(stratum, found)
                    scores |= _scores(arm, REFERENCE[name], found, base, stratum, int(among_N.sum()))
                bar.advance()
    return scores


def confusion_of(tests: Mapping[str, Tested], classes: tuple[str, ...]) -> dict[str, list[list[int]]]:
    """Each arm's confusion matrix, summed over its trainings."""
    found = {}
    for tested in tests.values():
        truth_N = tested.truth(classes)
        for arm, decided_SN in tested.decided.items():
            each = [confusion.confusion_matrix(truth_N, decided_N, len(classes)) for decided_N in decided_SN]
            found[arm] = np.sum(each, axis=0).tolist()
    return found


def _scores(
    arm: str,
    reference: str,
    found: Mapping[str, Values],
    against: Mapping[str, Values],
    stratum: str,
    n: int,
) -> dict[str, Score]:
    """The arm's scores, and how much better or worse than the reference it is: means over the trainings."""
    scores: dict[str, Score | None] = {}
    suffix = f"[{stratum}]" if stratum else ""
    for name, values_RS in found.items():
        better = not name.endswith("mae")
        mean_R = values_RS.mean(1)
        scores[f"{arm}/{name}{suffix}"] = score(mean_R, n, higher_is_better=better, note=_spread(values_RS))
        if arm != reference:
            apart_R = mean_R - against[name].mean(1)
            key = f"{arm}_minus_{reference}/{name}{suffix}"
            scores[key] = score(apart_R, n, higher_is_better=better, note="over the same people")
    return {name: each for name, each in scores.items() if each is not None}


def _spread(values_RS: Values) -> str:
    count = values_RS.shape[1]
    if count == 1:
        return "of one training"
    return f"mean of {count} trainings; standard deviation {values_RS[0].std(ddof=1):.3g}"
