"""The classifier two-sample test (C2ST): can a classifier separate two sets of images of unseen people?

An AUC of 0.5 means that it cannot; two samples of one distribution score that on average, whatever their
size. Source: Lopez-Paz and Oquab 2017, with the AUC in place of the accuracy, as it needs no threshold.
"""

# N images of both sets, F folds, D features

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import TooFewImages
from anonderm.core.splits import Rows, group_folds
from anonderm.metrics.bootstrap import interval
from anonderm.metrics.roc import auc

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

FitAndScore = Callable[[Rows, Rows], Floats]
"""Trains on the first rows and scores the second; higher scores mean the second set."""
Remember = Callable[[int, Callable[[], Floats]], Floats]
"""Takes the number of a fold and the function that scores it; returns these scores, perhaps stored ones."""


@dataclass(frozen=True)
class C2ST:
    """The out-of-fold score [N] of every image, whether it is of the second set, and its fold."""

    scores_N: Floats
    second_N: Truth
    fold_N: NDArray[np.int64]
    people: Sequence[Hashable]

    def auc(self, rows: Rows | None = None) -> float:
        """Over pairs within a fold, as classifiers of two folds differ in scale; NaN without pairs."""
        chosen = np.arange(len(self.scores_N)) if rows is None else rows
        ordered, pairs = 0.0, 0
        for fold in np.unique(self.fold_N[chosen]):
            inside = chosen[self.fold_N[chosen] == fold]
            second = self.second_N[inside]
            if count := int((~second).sum()) * int(second.sum()):
                ordered += auc(second, self.scores_N[inside]) * count
                pairs += count
        return ordered / pairs if pairs else float("nan")

    def interval(self, rows: Rows, samples: int, rng: np.random.Generator) -> tuple[float, float]:
        """95% bootstrap over the people of both sets, without training again."""
        people = [self.people[row] for row in rows]
        return interval(lambda drawn: self.auc(rows[drawn]), people, rng, samples)


def c2st(
    second_N: Truth,
    people: Sequence[Hashable],
    folds: int,
    fit_and_score: FitAndScore,
    rng: np.random.Generator,
    remember: Remember = lambda fold, work: work(),
) -> C2ST:
    """Cross-validate by person. Raises TooFewImages where a set has fewer people than there are folds."""
    fold_N = deal_folds(second_N, people, folds, rng)
    scores_N = np.empty(len(second_N))
    for fold in range(folds):
        test, train = np.flatnonzero(fold_N == fold), np.flatnonzero(fold_N != fold)
        scores_N[test] = remember(fold, partial(fit_and_score, train, test))
    return C2ST(scores_N, second_N, fold_N, people)


def deal_folds(
    second_N: Truth, people: Sequence[Hashable], folds: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The fold of each row: the people of each set are dealt at random."""
    fold_N = np.empty(len(second_N), np.int64)
    for second in (False, True):
        own = np.flatnonzero(second_N == second)
        owners = [people[row] for row in own.tolist()]
        count = len(set(owners))
        if count < folds:
            raise TooFewImages(
                f"{folds} folds take at least {folds} people a set, and one has {count}.",
                "Lower --folds, or compare larger sets.",
            )
        for fold, members in enumerate(group_folds(owners, folds, rng)):
            fold_N[own[np.concatenate(members)]] = fold
    return fold_N


def on_embeddings(rows_ND: NDArray[np.float32], second_N: Truth) -> FitAndScore:
    """Logistic regression on standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def fit_and_score(train: Rows, test: Rows) -> Floats:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=500))
        model.fit(rows_ND[train], second_N[train])
        return np.asarray(model.decision_function(rows_ND[test]), np.float64)

    return fit_and_score
