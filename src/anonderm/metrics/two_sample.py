"""The classifier two-sample test: can a classifier, taught on some people, tell two sets of others apart?

An AUC of 0.5 says that it cannot; two samples of one distribution score that on average, whatever their size.
Source: Lopez-Paz and Oquab 2017; the AUC in place of their accuracy, as it needs no threshold.
"""

# N images of both sets, F folds, D features

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import TooFewImages
from anonderm.core.splits import Rows, group_folds
from anonderm.metrics.bootstrap import interval

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

# Learns from the rows given first, and scores the rows given last: higher means of the second set.
Teach = Callable[[Rows, Rows], Floats]
# Given a fold's number and the work that scores it, returns its scores: of the work, or of an earlier run.
Keep = Callable[[int, Callable[[], Floats]], Floats]


@dataclass(frozen=True)
class TwoSample:
    """Out-of-fold scores [N] of every image, whether it is of the second set, and its fold."""

    scores_N: Floats
    second_N: Truth
    fold_N: NDArray[np.int64]
    people: Sequence[Hashable]

    def auc(self, rows: Rows | None = None) -> float:
        """Over pairs of one fold, as classifiers of two folds score on different scales; NaN without any."""
        chosen = np.arange(len(self.scores_N)) if rows is None else rows
        right, pairs = 0.0, 0
        for fold in np.unique(self.fold_N[chosen]):
            inside = chosen[self.fold_N[chosen] == fold]
            scores, second = self.scores_N[inside], self.second_N[inside]
            right += _pairs_in_order(scores[~second], scores[second])
            pairs += int((~second).sum()) * int(second.sum())
        return right / pairs if pairs else float("nan")

    def interval(self, rows: Rows, repeats: int, rng: np.random.Generator) -> tuple[float, float]:
        """95% bootstrap over the people of both sets; the classifiers are taken as they are."""
        people = [self.people[row] for row in rows]
        return interval(lambda drawn: self.auc(rows[drawn]), people, rng, repeats)


def _pairs_in_order(lower: Floats, upper: Floats) -> float:
    """How many pairs have the lower set's score below the upper's; a tie counts half."""
    ordered = np.sort(lower)
    below, not_above = np.searchsorted(ordered, upper), np.searchsorted(ordered, upper, side="right")
    return float((below + not_above).sum() / 2)


def _work(fold: int, work: Callable[[], Floats]) -> Floats:
    return work()


def two_sample(
    second_N: Truth,
    people: Sequence[Hashable],
    folds: int,
    teach: Teach,
    rng: np.random.Generator,
    keep: Keep = _work,
) -> TwoSample:
    """Cross-validate by person. Raises TooFewImages where a set has fewer people than there are folds."""
    fold_N = deal_folds(second_N, people, folds, rng)
    scores_N = np.empty(len(second_N))
    for fold in range(folds):
        scored = np.flatnonzero(fold_N == fold)
        learned = np.flatnonzero(fold_N != fold)
        scores_N[scored] = keep(fold, partial(teach, learned, scored))
    return TwoSample(scores_N, second_N, fold_N, people)


def deal_folds(
    second_N: Truth, people: Sequence[Hashable], folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The fold of each row: the people of each set are dealt out at random."""
    fold_N = np.empty(len(second_N), np.int64)
    for second in (False, True):
        own = np.flatnonzero(second_N == second)
        owners = [people[row] for row in own.tolist()]
        count = len(set(owners))
        if count < folds:
            raise TooFewImages(f"{folds} folds take at least {folds} people a set, and one has {count}.")
        for fold, members in enumerate(group_folds(owners, folds, rng)):
            fold_N[own[np.concatenate(members)]] = fold
    return fold_N


def on_embeddings(rows_ND: NDArray[np.float32], second_N: Truth) -> Teach:
    """Logistic regression on scaled features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def teach(learn: Rows, score: Rows) -> Floats:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        model.fit(rows_ND[learn], second_N[learn])
        return np.asarray(model.decision_function(rows_ND[score]), np.float64)

    return teach
