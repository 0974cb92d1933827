"""Which of the many scores are said first, and in what words."""

from __future__ import annotations

import re
from collections.abc import Iterable

from anonderm.core.records import Scores
from anonderm.core.results.base import Headline, Result, Score

# A pattern of the score's name, and what it says in words.
HEADLINES = (
    (r"tstr/accuracy", "accuracy on real test photos of a classifier trained on synthetic faces only"),
    (r"trtr/accuracy", "accuracy on real test photos of a classifier trained on real photos"),
    (r"tstr/macro_f1", "macro F1 on real test photos of a classifier trained on synthetic faces only"),
    (r"trtr/macro_f1", "macro F1 on real test photos of a classifier trained on real photos"),
    (r"(?:kid|kernel)\[[^]]*\]/all", "kernel distance of the synthetic faces to real test photos"),
    (r"(?:kid|kernel)\[[^]]*\]/all/floor", "kernel distance of other real photos to them (the floor)"),
    (r"auc\[onlooker\]/all", "AUC of a classifier that tells synthetic from real faces (0.5: it cannot)"),
    (r"auc\[onlooker\]/floor", "AUC of one that tells two halves of the real people apart (the floor)"),
)


def first(scores: Scores | None, pattern: str) -> Score | None:
    """The first score whose whole name fits the pattern."""
    names = (name for name in scores.scores if re.fullmatch(pattern, name)) if scores else ()
    return next((scores.scores[name] for name in names), None) if scores else None


def headlines(results: Iterable[Scores | Result]) -> list[Headline]:
    """The scores to state first."""
    found: list[Headline] = []
    for result in results:
        if isinstance(result, Result):
            found += result.headline()
        else:
            named = ((label, first(result, pattern)) for pattern, label in HEADLINES)
            found += [Headline(label, score) for label, score in named if score is not None]
    return found
