"""Scores of a classifier's answers, each with an interval over people: grades, or lesion types.

N faces, K classes or lesion types.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anonderm.core.results.base import Score
from anonderm.core.rundir import RunDir
from anonderm.metrics import confusion, grading
from anonderm.metrics.bootstrap import Rows, Statistic, interval
from anonderm.metrics.confusion import Metric


def grading_statistics(
    truth_N: NDArray[np.intp], decided_N: NDArray[np.intp], classes: Sequence[str], *, ordered: bool
) -> dict[str, Statistic]:
    """The measures of `grading_metrics`, of any of these answers."""
    return {
        name: partial(_of_grades, metric, truth_N, decided_N, len(classes))
        for name, metric in grading_metrics(classes, ordered=ordered).items()
    }


def grading_metrics(classes: Sequence[str], *, ordered: bool) -> dict[str, Metric]:
    """accuracy, macro_precision, macro_recall, macro_f1, f1/<class>; of grades macro_mae, quadratic_kappa."""
    by_class = {
        f"f1/{label}": partial(confusion.class_f1, index=index) for index, label in enumerate(classes)
    }
    return grading.PLAIN | by_class | (grading.GRADED if ordered else {})


def typing_statistics(
    truth_NK: NDArray[np.intp],
    probabilities_NK: NDArray[np.float32],
    decided_NK: NDArray[np.intp],
    types: Sequence[str],
) -> dict[str, Statistic]:
    """auc/<type>, f1/<type>, accuracy/<type>, and of each the mean over all types: macro_auc, ..."""
    single: dict[str, list[Statistic]] = {"auc": [], "f1": [], "accuracy": []}
    for k in range(len(types)):
        single["auc"].append(partial(_on_rows, grading.auc, truth_NK[:, k], probabilities_NK[:, k]))
        single["f1"].append(partial(_on_rows, grading.type_f1, truth_NK[:, k], decided_NK[:, k]))
        single["accuracy"].append(partial(_on_rows, _share_equal, truth_NK[:, k], decided_NK[:, k]))
    statistics: dict[str, Statistic] = {}
    for name, each in single.items():
        statistics[f"macro_{name}"] = partial(_mean_of, each)
    for name, each in single.items():
        statistics |= {f"{name}/{kind}": one for kind, one in zip(types, each, strict=True)}
    return statistics


def with_intervals(
    statistics: Mapping[str, Statistic], people: Sequence[str], seed: int, repeats: int, run: RunDir
) -> dict[str, Score]:
    """Each statistic of all rows, with its interval; one that has no value is said and left out.

    Every interval rests on the same draws of people, so that scores can be compared.
    """
    scores = {}
    for name, statistic in run.progress(list(statistics.items()), "intervals"):
        value = statistic(np.arange(len(people)))
        if math.isnan(value):
            run.log(f"{name} is not defined on these faces and is left out")
            continue
        low, high = interval(statistic, people, np.random.default_rng(seed), repeats)
        scores[name] = Score(value, low, high, len(people), higher_is_better=not name.endswith("mae"))
    return scores


def unproven(scores: Mapping[str, Score], arms: Iterable[str], chance: float) -> list[str]:
    """A caution for each arm whose <arm>/accuracy may be no better than the most frequent class's share."""
    cautions = []
    for arm in arms:
        accuracy = scores[f"{arm}/accuracy"]
        if accuracy.low is not None and accuracy.low <= chance:
            cautions.append(
                f"{arm}: accuracy {accuracy.value:.1%} (from {accuracy.low:.1%}) is not shown to be better "
                f"than always naming the most frequent class ({chance:.1%})."
            )
    return cautions


def _of_grades(
    metric: Metric, truth_N: NDArray[np.intp], decided_N: NDArray[np.intp], classes: int, rows: Rows
) -> float:
    return metric(confusion.confusion_matrix(truth_N[rows], decided_N[rows], classes))


def _on_rows(
    measure: Callable[..., float], truth_N: NDArray[np.intp], answers_N: NDArray[np.number], rows: Rows
) -> float:
    return measure(truth_N[rows], answers_N[rows])


def _share_equal(truth_N: NDArray[np.intp], decided_N: NDArray[np.intp]) -> float:
    return float((truth_N == decided_N).mean())


def _mean_of(statistics: Sequence[Statistic], rows: Rows) -> float:
    return float(np.mean([statistic(rows) for statistic in statistics]))
