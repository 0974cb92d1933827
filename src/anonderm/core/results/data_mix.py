"""What `evaluate data-mix` measures: one classifier trained on every mix of real and synthetic faces."""

from dataclasses import dataclass
from typing import Literal

from anonderm.core.results.base import Result, Score
from anonderm.core.results.classifier import ClassificationScores, ConfusionMatrix, accuracy_headlines


@dataclass(frozen=True, slots=True)
class ToneScores:
    """Scores on the test faces of one group of skin tone; macro_f1 is None where a class has no face."""

    accuracy: Score
    macro_f1: Score | None


@dataclass(frozen=True, slots=True)
class Difference:
    """An arm's scores minus those of the reference arm, over the same resampled people."""

    scores: ClassificationScores
    by_tone: dict[str, ToneScores]


@dataclass(frozen=True, slots=True)
class ArmScores:
    """An arm on one test set: means over its trainings, with 95% intervals over people.

    name: what the literature calls the combination, such as tstr. The confusion matrix is summed over the
    trainings. difference: to trtr on real faces, to tsts on synthetic ones; None for these two themselves.
    """

    name: str
    scores: ClassificationScores
    by_tone: dict[str, ToneScores]
    confusion: ConfusionMatrix
    difference: Difference | None


@dataclass(frozen=True, slots=True)
class Shortage:
    """How many synthetic faces of a class there were, and how many the arm asks for."""

    available: int
    wanted: int


@dataclass(frozen=True, slots=True)
class ArmResult:
    """One training set, tested on real and, for some arms, on synthetic faces.

    ratio: synthetic faces asked for per real one; None for arms that do not vary it.
    """

    name: str
    description: str
    ratio: float | None
    faces: int
    real: int
    synthetic: int
    by_class: dict[str, int]
    shortages: dict[str, Shortage]
    steps: tuple[int, ...]
    """Optimiser steps of each training."""
    seconds: float
    trainings: tuple[str, ...]
    """Run folders, below `trainings` in the folder of the study."""
    on_real: ArmScores
    on_synthetic: ArmScores | None


Test = tuple[ArmResult, ArmScores, Literal["real", "synthetic"]]
"""An arm, its scores on one test set, and which faces that set has."""


@dataclass(frozen=True)
class DataMixResult(Result):
    """`arms`: trained on real faces first, then on synthetic faces, then the others."""

    kind = "data-mix"

    classes: tuple[str, ...]
    backbone: str
    weights: str | None
    """What the networks were initialised with."""
    seeds: int
    """Trainings of each arm."""
    lengths: str
    """What all trainings have in common: steps or epochs."""
    n_people: int
    majority_share: float
    """Accuracy on real faces of always predicting the most frequent class."""
    arms: tuple[ArmResult, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def tests(self) -> list[Test]:
        found: list[Test] = []
        for arm in self.arms:
            found.append((arm, arm.on_real, "real"))
            found += [(arm, arm.on_synthetic, "synthetic")] if arm.on_synthetic else []
        return found

    @property
    def trtr(self) -> ArmScores:
        return self.arms[0].on_real

    @property
    def tstr(self) -> ArmScores:
        return self.arms[1].on_real

    def by_ratio(self, measure: Literal["accuracy", "macro_f1"]) -> list[tuple[float, Score]]:
        """On real faces, by the ratio of synthetic to real training faces that the arms have, from 0 on."""
        arms = [arm for arm in self.arms if arm.ratio is not None]
        found = ((arm.synthetic / arm.real, getattr(arm.on_real.scores, measure)) for arm in arms)
        return [(ratio, score) for ratio, score in found if score is not None]

    def headline(self) -> dict[str, Score | None]:
        return accuracy_headlines(self.trtr.scores, self.tstr.scores)
