"""False alarms: people who were kept out of training, searched for like synthetic faces."""

# M control faces, N training faces

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anonderm.embeddings.calibration import rate_over_people
from anonderm.embeddings.matchers.matcher import Templates
from anonderm.metrics.pairwise import distances, nearest


@dataclass(frozen=True)
class Alarms:
    """pairs: share of pairs of a control and a training face at or below the threshold, with its 95% interval
    over people, to be compared with the stated false match rate; faces: share of control faces with any."""

    n_pairs: int
    pairs: tuple[float, float, float]
    n_faces: int
    faces: float


def false_alarms(
    control: Templates,
    control_people: Sequence[str],
    views: Templates,
    training_people: Sequence[str],
    threshold: float,
    rng: np.random.Generator,
    most: int = 1000,
) -> Alarms | None:
    """control: people kept out, as they are; views: the training faces. None where nobody is seen.

    Pairs are counted on `most` faces a side, drawn where there are more.
    """
    alarmed_M = nearest(control, views).distances_M[control.enrolled_N] <= threshold
    seen_M, enrolled_N = (np.flatnonzero(side.enrolled_N) for side in (control, views))
    if not len(seen_M) or not len(enrolled_N):
        return None
    seen_M, enrolled_N = (
        np.sort(rng.choice(seen, most, replace=False)) if len(seen) > most else seen
        for seen in (seen_M, enrolled_N)
    )
    hits_P = (distances(control[seen_M], views[enrolled_N]) <= threshold).ravel()
    names = np.concatenate([np.asarray(control_people)[seen_M], np.asarray(training_people)[enrolled_N]])
    _, codes = np.unique(names, return_inverse=True)
    one_P = np.repeat(codes[: len(seen_M)], len(enrolled_N))
    two_P = np.tile(codes[len(seen_M) :], len(seen_M))
    rate = rate_over_people(hits_P, np.stack([one_P, two_P], axis=1), rng)
    return Alarms(len(hits_P), rate, len(alarmed_M), float(alarmed_M.mean()))
