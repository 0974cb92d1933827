"""The score from which a detection counts as a lesion."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anonderm.metrics.average_precision import IOU_THRESHOLDS, Matches

_DEFAULT = 0.5


def best_threshold(of_faces: Sequence[Matches]) -> float:
    """The threshold with the best F1 at an IoU of 0.5 for one kind; 0.5 if no detection is correct."""
    scores_N = np.concatenate([matches.scores_N for matches in of_faces])
    correct_N = np.concatenate([matches.correct_TN[IOU_THRESHOLDS.index(0.5)] for matches in of_faces])
    lesions = sum(matches.lesions for matches in of_faces)
    order_N = np.argsort(-scores_N, kind="stable")
    hits_N = np.cumsum(correct_N[order_N])
    if len(hits_N) == 0 or hits_N[-1] == 0:
        return _DEFAULT
    f1_N = 2 * hits_N / (np.arange(1, len(hits_N) + 1) + lesions)
    return float(scores_N[order_N][f1_N.argmax()])
