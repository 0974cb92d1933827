"""Distances that leave out the person herself, and groups of near-identical rows."""

# N rows, D features, K nearest rows: enough to hold one of another person

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import TooFewImages
from anonderm.metrics.distances import nearest

_BLOCK_ROWS = 512


def nearest_other_person(
    query_ND: NDArray[np.float32], reference_ND: NDArray[np.float32], subjects: Sequence[str]
) -> NDArray[np.float64]:
    """Distance [N] of each query row to the nearest reference row of another person.

    Query and reference show the same people in the same order. Raises TooFewImages where there is one only.
    """
    photos = Counter(subjects)
    if len(photos) < 2:
        raise TooFewImages(
            f"screening needs training faces of two people or more; there are {len(photos)}.",
            "Ingest photos of more people.",
        )
    people_N = np.unique(subjects, return_inverse=True)[1]
    distances_NK, rows_NK = nearest(query_ND, reference_ND, 1 + max(photos.values()))
    return np.where(people_N[rows_NK] == people_N[:, None], np.inf, distances_NK).min(axis=1)


def repeats(rows_ND: NDArray[np.float32], limit: float) -> dict[int, tuple[int, float]]:
    """Rows closer than `limit` to an earlier row that is no repeat itself: row -> (earlier row, distance)."""
    squares_N = np.sum(rows_ND.astype(np.float64) ** 2, axis=1)
    found: dict[int, tuple[int, float]] = {}
    for start in range(0, len(rows_ND), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        products = rows_ND[block] @ rows_ND[: start + _BLOCK_ROWS].T
        near = squares_N[block, None] + squares_N[None, : start + _BLOCK_ROWS] - 2.0 * products < limit**2
        for row, earlier in np.argwhere(np.tril(near, start - 1)):
            if int(row) + start not in found and int(earlier) not in found:
                distance = float(np.linalg.norm(rows_ND[row + start] - rows_ND[earlier]))
                found[int(row) + start] = (int(earlier), distance)
    return found
