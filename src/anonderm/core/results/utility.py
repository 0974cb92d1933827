"""What `evaluate utility` measures: training on synthetic faces compared with training on real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anonderm.core.results.base import Headline, Result, Score
from anonderm.core.results.classifier import ClassificationScores, ConfusionMatrix


@dataclass(frozen=True, slots=True)
class UtilityArm:
    """One of the two classifiers, tested on real faces. `weights`: what it was initialised with."""

    scores: ClassificationScores
    confusion: ConfusionMatrix
    weights: str | None
    warnings: tuple[str, ...]
    """What a reader must know before relying on the scores."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A Grad-CAM overlay of the predicted class, and its probability. image, overlay: files of the run."""

    arm: Literal["trtr", "tstr"]
    label: str
    predicted: str
    probability: float
    image: str
    overlay: str


def accuracy_headlines(trtr: ClassificationScores, tstr: ClassificationScores) -> tuple[Headline, ...]:
    """Accuracy and macro F1 of both, the classifier trained on synthetic faces first."""
    where = "on real test photos of a classifier trained on"
    lines = (
        (f"accuracy {where} synthetic faces only", tstr.accuracy),
        (f"accuracy {where} real photos", trtr.accuracy),
        (f"macro F1 {where} synthetic faces only", tstr.macro_f1),
        (f"macro F1 {where} real photos", trtr.macro_f1),
    )
    return tuple(Headline(label, score) for label, score in lines if score is not None)


@dataclass(frozen=True)
class UtilityResult(Result):
    """Trained on real, tested on real (TRTR) beside trained on synthetic, tested on real (TSTR)."""

    kind = "utility"

    classes: tuple[str, ...]
    n_people: int
    majority_share: float
    """Accuracy of always predicting the most frequent class."""
    trtr: UtilityArm
    tstr: UtilityArm
    tstr_over_trtr_accuracy: Score | None
    """Ratio of the two accuracies, over the same people; None where TRTR is never right."""
    explanations: tuple[Explanation, ...]

    def headline(self) -> tuple[Headline, ...]:
        return accuracy_headlines(self.trtr.scores, self.tstr.scores)
