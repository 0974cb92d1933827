"""Scores of a classifier's predictions, with intervals over people: severity grades, or lesion types.

N faces, K classes or lesion types.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
from anonderm.metrics import confusion
from anonderm.metrics.bootstrap import Statistic, interval
from anonderm.metrics.confusion import Metric
from anonderm.metrics.roc import auc

Numbers = NDArray[np.number]


def classification_metrics(classes: Sequence[str], *, ordered: bool) -> dict[str, Metric]:
    """The fields of ClassificationScores, with f1/<class> for its `f1`."""
    by_class = {
        f"f1/{label}": partial(confusion.class_f1, index=index) for index, label in enumerate(classes)
    }
    return confusion.PLAIN | by_class | (confusion.GRADED if ordered else {})


def classification_scores(scores: Mapping[str, Score], classes: Sequence[str]) -> ClassificationScores:
    """From scores by the names of `classification_metrics`; those that are not there are undefined."""
    return ClassificationScores(
        f1={label: scores[f"f1/{label}"] for label in classes if f"f1/{label}" in scores},
        **{name: scores.get(name) for name in (confusion.PLAIN | confusion.GRADED)},  # type: ignore[arg-type]
    )


def classification_statistics(
    truth_N: NDArray[np.intp], predicted_N: NDArray[np.intp], classes: Sequence[str], *, ordered: bool
) -> dict[str, Statistic]:
    """`classification_metrics` of any of these predictions."""

    def of_rows(metric: Metric) -> Statistic:
        return lambda rows: metric(confusion.confusion_matrix(truth_N[rows], predicted_N[rows], len(classes)))

    metrics = classification_metrics(classes, ordered=ordered)
    return {name: of_rows(metric) for name, metric in metrics.items()}


def multi_label_scores(
    truth_NK: NDArray[np.intp],
    probabilities_NK: NDArray[np.float32],
    predicted_NK: NDArray[np.intp],
    types: Sequence[str],
    bootstrap: Bootstrap,
    run: RunDir,
) -> MultiLabelScores:
    measures: dict[str, tuple[Callable[..., float], Numbers]] = {
        "auc": (auc, probabilities_NK),
        "f1": (confusion.type_f1, predicted_NK),
        "accuracy": (_share_equal, predicted_NK),
    }

    def of_rows(measure: Callable[..., float], truth_N: NDArray[np.intp], values_N: Numbers) -> Statistic:
        return lambda rows: measure(truth_N[rows], values_N[rows])

    def mean(statistics: Sequence[Statistic]) -> Statistic:
        return lambda rows: float(np.mean([statistic(rows) for statistic in statistics]))

    statistics: dict[str, Statistic] = {}
    for name, (measure, values_NK) in measures.items():
        columns = zip(types, truth_NK.T, values_NK.T, strict=True)
        by_type = {f"{name}/{kind}": of_rows(measure, *column) for kind, *column in columns}
        statistics |= {f"macro_{name}": mean(list(by_type.values())), **by_type}
    scores = bootstrap.scores(statistics, run)
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


def _share_equal(truth_N: NDArray[np.intp], predicted_N: NDArray[np.intp]) -> float:
    return float((truth_N == predicted_N).mean())


@dataclass(frozen=True)
class Bootstrap:
    """Scores statistics of rows, with intervals over the person of each row.

    All intervals use the same resamples, so that scores can be compared.
    """

    people: Sequence[str]
    seed: int
    samples: int

    def score(self, statistic: Statistic, better: bool | None = True) -> Score | None:
        """None if the statistic is undefined (NaN)."""
        value = statistic(np.arange(len(self.people)))
        if math.isnan(value):
            return None
        low, high = interval(statistic, self.people, np.random.default_rng(self.seed), self.samples)
        return Score(value, low, high, len(self.people), better)

    def mean(self, values_N: NDArray[np.number], better: bool | None = True) -> Score:
        score = self.score(lambda rows: float(values_N[rows].mean()), better)
        assert score is not None
        return score

    def scores(self, statistics: Mapping[str, Statistic], run: RunDir) -> dict[str, Score]:
        """By name; undefined ones are logged and left out."""
        found = {}
        for name, statistic in run.progress(list(statistics.items()), "intervals"):
            if (score := self.score(statistic, not name.endswith("mae"))) is not None:
                found[name] = score
            else:
                run.log(f"{name} is undefined on these faces and left out")
        return found


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
