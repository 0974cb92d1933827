"""Distances of two photos of one person (genuine) and of two people (impostor), and whose photos they are."""

# N photos, V views, P pairs, R faces that were altered

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.embeddings.matchers.matcher import Described
from anonderm.embeddings.search import Floats, distances
from anonderm.metrics.bootstrap import Rows

_MOST = 2000  # photos of which all pairs are compared


@dataclass(frozen=True)
class Pairs:
    """distances_P of pairs of photos; people_P2: numbers of the people on both, equal for genuine pairs."""

    distances_P: Floats
    people_P2: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.distances_P)

    @property
    def people(self) -> int:
        return len(np.unique(self.people_P2))


def photo_pairs(
    faces: Described, views: Described, people: Sequence[str], rng: np.random.Generator
) -> tuple[Pairs, Pairs]:
    """Genuine and impostor pairs: every two photos that the matcher sees, each pair once.

    faces, views: the same photos, as they are and with views. Of more than 2,000 photos so many are drawn:
    2 million pairs tell rates of 0.1% well enough.
    """
    seen = np.flatnonzero(faces.seen_N & views.seen_N)
    if len(seen) > _MOST:
        seen = np.sort(rng.choice(seen, _MOST, replace=False))
    _, code_N = np.unique(np.asarray(people, dtype=object)[seen].astype(str), return_inverse=True)
    one_P, two_P = np.triu_indices(len(seen), 1)
    distances_P = distances(faces[seen], views[seen])[one_P, two_P].astype(np.float64)
    people_P2 = np.stack([code_N[one_P], code_N[two_P]], axis=1)
    same_P = people_P2[:, 0] == people_P2[:, 1]
    return Pairs(distances_P[same_P], people_P2[same_P]), Pairs(distances_P[~same_P], people_P2[~same_P])


def copy_pairs(altered: Described, views: Described, originals_R: Rows, people: Sequence[str]) -> Pairs:
    """Genuine pairs of a photo and an altered copy of it: `originals_R` says which of `views` it is.

    A pair of which the matcher sees one only lies at no distance: it is a pair that no threshold finds.
    """
    distances_R = np.full(len(altered), np.inf)
    _, code_N = np.unique(np.asarray(people, dtype=str), return_inverse=True)
    for row, original in enumerate(originals_R):
        distances_R[row] = distances(altered[[row]], views[[original]])[0, 0]
    people_R2 = np.repeat(code_N[originals_R][:, None], 2, axis=1)
    return Pairs(distances_R, people_R2)
