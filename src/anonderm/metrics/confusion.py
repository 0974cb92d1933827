"""Classification metrics, all from one confusion matrix (rows: true class, columns: predicted).

The same as scikit-learn's with zero_division=0, but fast enough for thousands of bootstrap samples. Where a
class has no face, a macro metric is NaN. K classes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64]
Metric = Callable[[Matrix], float]


def confusion_matrix(truth_N: NDArray[np.intp], predicted_N: NDArray[np.intp], classes: int) -> Matrix:
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
