"""What `evaluate classifier` measures, and the measures of a classifier that other results hold too."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.results.base import Headline, Result, Score


@dataclass(frozen=True, slots=True)
class ConfusionMatrix:
    """`counts`: faces by true class (row) and predicted class (column)."""

    classes: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def never_predicted(self) -> tuple[str, ...]:
        """Classes of which there are faces, and which are the prediction for none."""
        columns = zip(*self.counts, strict=True)
        return tuple(
            name
            for name, row, column in zip(self.classes, self.counts, columns, strict=True)
            if sum(row) and not sum(column)
        )


@dataclass(frozen=True, slots=True)
class ClassificationScores:
    """Of a classifier that predicts one class a face. A score is None where it is undefined.

    The macro measures are means over classes, undefined where a class has no face. macro_mae (in grades) and
    quadratic_kappa exist for ordered classes only. f1: by class, without those that have no face.
    """

    accuracy: Score
    macro_precision: Score | None
    macro_recall: Score | None
    macro_f1: Score | None
    f1: dict[str, Score]
    macro_mae: Score | None
    quadratic_kappa: Score | None


@dataclass(frozen=True, slots=True)
class LesionTypeScores:
    """Whether a face shows lesions of this type. auc and f1 are None where they are undefined."""

    auc: Score | None
    f1: Score | None
    accuracy: Score


@dataclass(frozen=True, slots=True)
class MultiLabelScores:
    """Of a classifier that predicts each lesion type on its own; the macro measures are means over types."""

    macro_auc: Score | None
    macro_f1: Score | None
    macro_accuracy: Score
    types: dict[str, LesionTypeScores]


@dataclass(frozen=True)
class ClassifierResult(Result):
    """A classifier on test faces. Either `classification` (with `confusion`) or `multi_label` is there."""

    kind = "classifier"

    classes: tuple[str, ...]
    head: str
    backbone: str
    weights: str | None
    """What the network was initialised with."""
    trained_on: str | None
    """real, synthetic or both."""
    n_people: int
    classification: ClassificationScores | None
    multi_label: MultiLabelScores | None
    count_mae: Score | None
    """Mean absolute error of the number of lesions on a face, for a head that counts them."""
    confusion: ConfusionMatrix | None
    majority_share: float | None
    """Accuracy of always predicting the most frequent class."""

    def headline(self) -> tuple[Headline, ...]:
        if self.classification is not None:
            return (Headline("classifier accuracy on test faces", self.classification.accuracy),)
        if self.multi_label is not None and self.multi_label.macro_auc is not None:
            return (Headline("macro AUC of lesion types on test faces", self.multi_label.macro_auc),)
        return ()
