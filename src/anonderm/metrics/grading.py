"""Measures of a classifier of grades or lesion types.

N faces, K classes or types. The same as scikit-learn's, but fast enough for bootstraps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anonderm.metrics import confusion
from anonderm.metrics.confusion import Metric
from anonderm.metrics.roc import auc

PLAIN: dict[str, Metric] = {
    "accuracy": confusion.accuracy,
    "macro_precision": confusion.macro_precision,
    "macro_recall": confusion.macro_recall,
    "macro_f1": confusion.macro_f1,
}
GRADED: dict[str, Metric] = {
    "macro_mae": confusion.macro_mae,
    "quadratic_kappa": confusion.quadratic_kappa,
}

Numbers = NDArray[np.floating]


def measures(
    truth: NDArray[np.number],
    decided: NDArray[np.intp],
    probabilities_NK: Numbers,
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
    matrix_KK = confusion.confusion_matrix(truth.astype(np.intp), decided, probabilities_NK.shape[1])
    wanted = {name: PLAIN[name] for name in ("accuracy", "macro_f1")} | (GRADED if ordered else {})
    return {name: metric(matrix_KK) for name, metric in wanted.items()}


def type_f1(truth_N: NDArray[np.number], decided_N: NDArray[np.number]) -> float:
    """F1 of one type; NaN where no face has it."""
    matrix_22 = confusion.confusion_matrix(truth_N.astype(np.intp), decided_N.astype(np.intp), 2)
    return confusion.class_f1(matrix_22, 1)
