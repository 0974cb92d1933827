"""From which score on a find counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anonderm.metrics.average_precision import OVERLAPS, Matches

_UNKNOWN = 0.5


def best_threshold(of_faces: Sequence[Matches]) -> float:
    """The score from which on finds of one kind have the best F1 at half overlap; 0.5 where none is right."""
    scores_N = np.concatenate([matches.scores_N for matches in of_faces])
    right_N = np.concatenate([matches.right_TN[OVERLAPS.index(0.5)] for matches in of_faces])
    true = sum(matches.true for matches in of_faces)
    order_N = np.argsort(-scores_N, kind="stable")
    hits_N = np.cumsum(right_N[order_N])
    if len(hits_N) == 0 or hits_N[-1] == 0:
        return _UNKNOWN
    f1_N = 2 * hits_N / (np.arange(1, len(hits_N) + 1) + true)
    return float(scores_N[order_N][f1_N.argmax()])
