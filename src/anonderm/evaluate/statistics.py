"""Scores of a classifier's predictions, with intervals over people: severity grades, or lesion types.

N faces, K classes or lesion types.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anonderm.core.results.base import Score
from anonderm.core.results.classifier import (
    ClassificationScores,
    ConfusionMatrix,
    LesionTypeScores,
    MultiLabelScores,
)
from anonderm.core.rundir import RunDir
from anonderm.metrics import confusion, grading
from anonderm.metrics.bootstrap import Rows, Statistic, interval
from anonderm.metrics.confusion import Metric
from anonderm.metrics.roc import auc


def classification_metrics(classes: Sequence[str], *, ordered: bool) -> dict[str, Metric]:
    """The fields of ClassificationScores, with f1/<class> for its `f1`."""
    by_class = {
        f"f1/{label}": partial(confusion.class_f1, index=index) for index, label in enumerate(classes)
    }
    return grading.PLAIN | by_class | (grading.GRADED if ordered else {})


def classification_scores(scores: Mapping[str, Score], classes: Sequence[str]) -> ClassificationScores:
    """From scores by the names of `classification_metrics`; those that are not there are undefined."""
    return ClassificationScores(
        accuracy=scores["accuracy"],
        macro_precision=scores.get("macro_precision"),
        macro_recall=scores.get("macro_recall"),
        macro_f1=scores.get("macro_f1"),
        f1={label: scores[f"f1/{label}"] for label in classes if f"f1/{label}" in scores},
        macro_mae=scores.get("macro_mae"),
        quadratic_kappa=scores.get("quadratic_kappa"),
    )


def classification_statistics(
    truth_N: NDArray[np.intp], predicted_N: NDArray[np.intp], classes: Sequence[str], *, ordered: bool
) -> dict[str, Statistic]:
    """`classification_metrics` of any of these predictions."""
    return {
        name: partial(_of_matrix, metric, truth_N, predicted_N, len(classes))
        for name, metric in classification_metrics(classes, ordered=ordered).items()
    }


def multi_label_scores(
    truth_NK: NDArray[np.intp],
    probabilities_NK: NDArray[np.float32],
    predicted_NK: NDArray[np.intp],
    types: Sequence[str],
    score_all: Callable[[Mapping[str, Statistic]], Mapping[str, Score]],
) -> MultiLabelScores:
    """score_all: scores statistics by name, without those that are undefined, as `with_intervals` does."""
    measures: tuple[tuple[str, Callable[..., float], NDArray[np.number]], ...] = (
        ("auc", auc, probabilities_NK),
        ("f1", grading.type_f1, predicted_NK),
        ("accuracy", _share_equal, predicted_NK),
    )
    by_type = {
        name: [partial(_on_rows, measure, truth_NK[:, k], predictions_NK[:, k]) for k in range(len(types))]
        for name, measure, predictions_NK in measures
    }
    statistics: dict[str, Statistic] = {
        f"macro_{name}": partial(_mean_of, of) for name, of in by_type.items()
    }
    statistics |= {
        f"{name}/{kind}": each for name, of in by_type.items() for kind, each in zip(types, of, strict=True)
    }
    scores = score_all(statistics)
    return MultiLabelScores(
        macro_auc=scores.get("macro_auc"),
        macro_f1=scores.get("macro_f1"),
        macro_accuracy=scores["macro_accuracy"],
        types={
            kind: LesionTypeScores(
                scores.get(f"auc/{kind}"), scores.get(f"f1/{kind}"), scores[f"accuracy/{kind}"]
            )
            for kind in types
        },
    )


def with_intervals(
    statistics: Mapping[str, Statistic], people: Sequence[str], seed: int, samples: int, run: RunDir
) -> dict[str, Score]:
    """Each statistic of all rows, with its interval; one that is undefined is logged and left out.

    All intervals use the same resamples of the people, so that scores can be compared.
    """
    scores = {}
    for name, statistic in run.progress(list(statistics.items()), "intervals"):
        value = statistic(np.arange(len(people)))
        if math.isnan(value):
            run.log(f"{name} is undefined on these faces and left out")
            continue
        low, high = interval(statistic, people, np.random.default_rng(seed), samples)
        scores[name] = Score(value, low, high, len(people), higher_is_better=not name.endswith("mae"))
    return scores


def confusion_of(
    truth_N: NDArray[np.intp], predicted_N: NDArray[np.intp], classes: Sequence[str]
) -> ConfusionMatrix:
    counts_KK = confusion.confusion_matrix(truth_N, predicted_N, len(classes))
    return ConfusionMatrix(tuple(classes), tuple(map(tuple, counts_KK.tolist())))


def chance_warning(accuracy: Score, majority_share: float) -> str | None:
    """A warning if the accuracy may be no better than that of always predicting the most frequent class."""
    if accuracy.low is None or accuracy.low > majority_share:
        return None
    return (
        f"accuracy {accuracy.value:.1%} (from {accuracy.low:.1%}) is not shown to be better than always "
        f"predicting the most frequent class ({majority_share:.1%})."
    )


def _of_matrix(
    metric: Metric, truth_N: NDArray[np.intp], predicted_N: NDArray[np.intp], classes: int, rows: Rows
) -> float:
    return metric(confusion.confusion_matrix(truth_N[rows], predicted_N[rows], classes))


def _on_rows(
    measure: Callable[..., float], truth_N: NDArray[np.intp], predictions_N: NDArray[np.number], rows: Rows
) -> float:
    return measure(truth_N[rows], predictions_N[rows])


def _share_equal(truth_N: NDArray[np.intp], predicted_N: NDArray[np.intp]) -> float:
    return float((truth_N == predicted_N).mean())


def _mean_of(statistics: Sequence[Statistic], rows: Rows) -> float:
    return float(np.mean([statistic(rows) for statistic in statistics]))
