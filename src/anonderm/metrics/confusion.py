"""Metrics of classifications and segmentations, all from one confusion matrix.

Rows of the matrix: the true class; columns: the predicted one.

The same as scikit-learn's with zero_division=0, but fast enough for thousands of bootstrap samples. Where a
class has no face, a macro metric is NaN. K classes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anonderm.metrics.roc import auc

Matrix = NDArray[np.int64]
Metric = Callable[[Matrix], float]

IGNORED = 255
"""The label of pixels outside the photo, which do not count in a segmentation."""


def confusion_matrix(truth_N: NDArray[np.intp], predicted_N: NDArray[np.integer], classes: int) -> Matrix:
    """int64 [K, K]: the number of faces of each class (row) that were predicted as each class (column)."""
    return np.bincount(truth_N * classes + predicted_N, minlength=classes * classes).reshape(classes, classes)


def accuracy(matrix_KK: Matrix) -> float:
    return float(np.trace(matrix_KK) / matrix_KK.sum())


def macro_precision(matrix_KK: Matrix) -> float:
    """Mean over classes; a class that was never predicted counts as 0."""
    if _class_missing(matrix_KK):
        return float("nan")
    return float((np.diag(matrix_KK) / np.maximum(matrix_KK.sum(0), 1)).mean())


def macro_recall(matrix_KK: Matrix) -> float:
    if _class_missing(matrix_KK):
        return float("nan")
    return float((np.diag(matrix_KK) / matrix_KK.sum(1)).mean())


def macro_f1(matrix_KK: Matrix) -> float:
    return float(np.mean([class_f1(matrix_KK, index) for index in range(len(matrix_KK))]))


def class_f1(matrix_KK: Matrix, index: int) -> float:
    """F1 of one class; NaN where it has no face."""
    row, column = matrix_KK[index].sum(), matrix_KK[:, index].sum()
    return float(2 * matrix_KK[index, index] / (row + column)) if row else float("nan")


def macro_mae(matrix_KK: Matrix) -> float:
    """Mean distance in grades between truth and prediction, averaged over the true classes.

    Source: Baccianella, Esuli and Sebastiani 2009, eq. 2.
    """
    if _class_missing(matrix_KK):
        return float("nan")
    return float(((matrix_KK * _distances(len(matrix_KK))).sum(1) / matrix_KK.sum(1)).mean())


def quadratic_kappa(matrix_KK: Matrix) -> float:
    """Agreement beyond chance, with squared distances between grades. Source: Cohen 1968."""
    squares_KK = _distances(len(matrix_KK)) ** 2
    by_chance = (squares_KK * np.outer(matrix_KK.sum(1), matrix_KK.sum(0))).sum() / matrix_KK.sum()
    return float(1 - (squares_KK * matrix_KK).sum() / by_chance) if by_chance else float("nan")


def _class_missing(matrix_KK: Matrix) -> bool:
    return bool((matrix_KK.sum(1) == 0).any())


def _distances(classes: int) -> Matrix:
    grades_K = np.arange(classes)
    return np.abs(grades_K[:, None] - grades_K[None, :])


PLAIN: dict[str, Metric] = {
    "accuracy": accuracy,
    "macro_precision": macro_precision,
    "macro_recall": macro_recall,
    "macro_f1": macro_f1,
}
GRADED: dict[str, Metric] = {"macro_mae": macro_mae, "quadratic_kappa": quadratic_kappa}


def measures(
    truth: NDArray[np.number],
    decided: NDArray[np.intp],
    probabilities_NK: NDArray[np.floating],
    ordered: bool,
) -> dict[str, float]:
    """Accuracy and macro F1; for grades also macro MAE and quadratic kappa, for types macro AUC.

    Where a class has no face, a macro measure is NaN.

    truth, decided: class indices [N], or 0 and 1 for each lesion type [N, K]. ordered: classes are grades.
    """
    if truth.ndim == 2:
        kinds = range(truth.shape[1])
        return {
            "accuracy": float((decided == truth).mean()),
            "macro_f1": float(np.mean([type_f1(truth[:, k], decided[:, k]) for k in kinds])),
            "macro_auc": float(np.mean([auc(truth[:, k], probabilities_NK[:, k]) for k in kinds])),
        }
    matrix_KK = confusion_matrix(truth.astype(np.intp), decided, probabilities_NK.shape[1])
    wanted = {name: PLAIN[name] for name in ("accuracy", "macro_f1")} | (GRADED if ordered else {})
    return {name: metric(matrix_KK) for name, metric in wanted.items()}


def type_f1(truth_N: NDArray[np.number], decided_N: NDArray[np.number]) -> float:
    """F1 of one type; NaN where no face has it."""
    matrix_22 = confusion_matrix(truth_N.astype(np.intp), decided_N.astype(np.intp), 2)
    return class_f1(matrix_22, 1)


@dataclass
class Agreement:
    """How well segmentations agree; counts_KK: the confusion matrix of the pixels of all photos added."""

    classes: Sequence[str]
    counts_KK: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.counts_KK = np.zeros((len(self.classes), len(self.classes)), np.int64)

    def add(self, truth: NDArray[np.integer], found: NDArray[np.integer]) -> None:
        """Label maps of one shape."""
        known = truth != IGNORED
        self.counts_KK += confusion_matrix(truth[known].astype(np.int64), found[known], len(self.classes))

    @property
    def dice(self) -> dict[str, float]:
        """2 |A and B| / (|A| + |B|) of each class in the truth or the prediction (Dice 1945)."""
        return self._by_class(2 * np.diag(self.counts_KK), self._sizes())

    @property
    def iou(self) -> dict[str, float]:
        """|A and B| / |A or B| of each class in the truth or the prediction (Jaccard 1912)."""
        both_K = np.diag(self.counts_KK)
        return self._by_class(both_K, self._sizes() - both_K)

    @property
    def mean_dice(self) -> float:
        return float(np.mean(list(self.dice.values())))

    @property
    def mean_iou(self) -> float:
        return float(np.mean(list(self.iou.values())))

    def _by_class(self, part_K: NDArray[np.int64], whole_K: NDArray[np.int64]) -> dict[str, float]:
        shares = zip(self.classes, part_K, whole_K, strict=True)
        return {name: float(part / whole) for name, part, whole in shares if whole}

    def _sizes(self) -> NDArray[np.int64]:
        return self.counts_KK.sum(axis=0) + self.counts_KK.sum(axis=1)
