"""Non-members searched among members, as the synthetic faces are: how often they match by chance."""

# M faces of non-members, N faces of members, P pairs

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anonderm.core.results.audit import FalseMatches
from anonderm.embeddings.calibration import rate_over_people
from anonderm.embeddings.matchers.matcher import Templates
from anonderm.metrics.pairwise import distances, nearest

_MOST_FACES = 1000


def false_matches(
    non_members: Templates,
    non_member_people: Sequence[str],
    members: Templates,
    member_people: Sequence[str],
    threshold: float,
    rng: np.random.Generator,
) -> FalseMatches | None:
    """The interval is over people. None where no face of one side could be enrolled.

    Pairs are counted on at most 1,000 faces a side, drawn at random.
    """
    matched_M = nearest(non_members, members).distances_M[non_members.enrolled_N] <= threshold
    rows_M, rows_N = (np.flatnonzero(side.enrolled_N) for side in (non_members, members))
    if not len(rows_M) or not len(rows_N):
        return None
    rows_M, rows_N = (
        np.sort(rng.choice(rows, _MOST_FACES, replace=False)) if len(rows) > _MOST_FACES else rows
        for rows in (rows_M, rows_N)
    )
    hits_P = (distances(non_members[rows_M], members[rows_N]) <= threshold).ravel()
    names = np.concatenate([np.asarray(non_member_people)[rows_M], np.asarray(member_people)[rows_N]])
    _, codes = np.unique(names, return_inverse=True)
    one_P = np.repeat(codes[: len(rows_M)], len(rows_N))
    two_P = np.tile(codes[len(rows_M) :], len(rows_M))
    rate = rate_over_people(hits_P, np.stack([one_P, two_P], axis=1), rng)
    return FalseMatches(len(hits_P), rate, len(matched_M), float(matched_M.mean()))
