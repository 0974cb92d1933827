"""What `evaluate classifier`, `evaluate utility` and `evaluate saliency` measure."""

from dataclasses import dataclass
from typing import Literal

from anonderm.core.results.base import Result, Score


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

    def headline(self) -> dict[str, Score | None]:
        if self.classification is not None:
            return {"classifier accuracy on test faces": self.classification.accuracy}
        types = self.multi_label
        return {"macro AUC of lesion types on test faces": types.macro_auc if types else None}


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


def accuracy_headlines(trtr: ClassificationScores, tstr: ClassificationScores) -> dict[str, Score | None]:
    """Accuracy and macro F1 of both, the classifier trained on synthetic faces first."""
    where = "on real test photos of a classifier trained on"
    return {
        f"accuracy {where} synthetic faces only": tstr.accuracy,
        f"accuracy {where} real photos": trtr.accuracy,
        f"macro F1 {where} synthetic faces only": tstr.macro_f1,
        f"macro F1 {where} real photos": trtr.macro_f1,
    }


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

    def headline(self) -> dict[str, Score | None]:
        return accuracy_headlines(self.trtr.scores, self.tstr.scores)


@dataclass(frozen=True, slots=True)
class MapMeasure:
    """A measure of the maps and its baselines, all shares.

    baseline: of a uniform map; skin_baseline: of a map that is uniform on the skin and zero elsewhere, None
    where no mask is known. above_...: the difference, map by map.
    """

    value: Score
    baseline: Score
    above_baseline: Score
    skin_baseline: Score | None
    above_skin_baseline: Score | None


@dataclass(frozen=True, slots=True)
class MapMeasures:
    """Of some maps. in_lesions: share of the heat inside lesion boxes; pointing: share of the maps whose
    maximum lies in a box or near it (pointing game); in_skin: share of the heat on the skin.

    A measure is None where no face has boxes, or a mask.
    """

    in_lesions: MapMeasure | None
    pointing: MapMeasure | None
    in_skin: MapMeasure | None


@dataclass(frozen=True)
class SaliencyResult(Result):
    """groups: `all`, and each class or lesion type that has maps."""

    kind = "saliency"

    backbone: str
    head: str
    weights: str | None
    """What the network was initialised with."""
    explain: str
    maps: int
    maps_without_heat: int
    n_people: int
    sheet: str | None
    """A picture of some maps, in the run folder."""
    groups: dict[str, MapMeasures]
