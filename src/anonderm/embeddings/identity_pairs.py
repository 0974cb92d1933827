"""Distances of genuine pairs (one person) and impostor pairs (two people)."""

# N photos, V views, P pairs, R faces that were altered

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.embeddings.matchers.matcher import Templates
from anonderm.metrics.bootstrap import Rows
from anonderm.metrics.pairwise import Floats, distances

_MAX_PHOTOS = 2000  # whose pairs are all compared


@dataclass(frozen=True)
class Pairs:
    """distances_P of pairs of photos; people_P2: index of the person on each, equal for genuine pairs."""

    distances_P: Floats
    people_P2: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.distances_P)

    @property
    def people(self) -> int:
        return len(np.unique(self.people_P2))


def photo_pairs(
    faces: Templates, views: Templates, people: Sequence[str], rng: np.random.Generator
) -> tuple[Pairs, Pairs]:
    """Genuine and impostor pairs: every two enrolled photos, each pair once.

    faces, views: the same photos without and with views. Beyond 2,000 photos a random 2,000 are compared:
    2 million pairs are enough for rates of 0.1%.
    """
    enrolled = np.flatnonzero(faces.enrolled_N & views.enrolled_N)
    if len(enrolled) > _MAX_PHOTOS:
        enrolled = np.sort(rng.choice(enrolled, _MAX_PHOTOS, replace=False))
    _, person_N = np.unique(np.asarray(people, dtype=object)[enrolled].astype(str), return_inverse=True)
    one_P, two_P = np.triu_indices(len(enrolled), 1)
    distances_P = distances(faces[enrolled], views[enrolled])[one_P, two_P].astype(np.float64)
    people_P2 = np.stack([person_N[one_P], person_N[two_P]], axis=1)
    same_P = people_P2[:, 0] == people_P2[:, 1]
    return Pairs(distances_P[same_P], people_P2[same_P]), Pairs(distances_P[~same_P], people_P2[~same_P])


def copy_pairs(altered: Templates, views: Templates, originals_R: Rows, people: Sequence[str]) -> Pairs:
    """Genuine pairs of an altered copy and its original, row `originals_R` of `views`.

    A pair with a failure to enrol has an infinite distance: no threshold accepts it.
    """
    distances_R = np.full(len(altered), np.inf)
    _, person_N = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    for row, original in enumerate(originals_R):
        distances_R[row] = distances(altered[[row]], views[[original]])[0, 0]
    people_R2 = np.repeat(person_N[originals_R][:, None], 2, axis=1)
    return Pairs(distances_R, people_R2)
