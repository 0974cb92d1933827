"""How good a generator is by faces that it was not trained on, and whether it copies those it was.

Three numbers a tick, all over embeddings:

kernel_distance       to the faces of the validation split; to the training faces, a generator that copies
                      them would only come closer and closer
frechet_distance      to the same faces, as papers plot it (FID, over Inception features); biased by few faces
closer_than_expected  the share of synthetic faces as close to a training face as only the nearest 5% of
                      held-out faces are, over the share to be expected were they strangers like those: 1
                      where nothing is copied (Meehan et al. 2020 test the same distances by their ranks)

A FaceSet with fewer than 19 validation faces, for instance a synthetic one, has no such control. Then the
distance is taken to the training faces, and every training face is looked up among those of other people.
"""

# N faces, D features, H x W pixels

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels

Embeddings = NDArray[np.float32]
Floats = NDArray[np.float64]

_LEVEL = 0.05
FEWEST_HELD_OUT = 19
"""Below so many, the nearest 5% are not even one."""
_MOST_REAL = 1024
_MOST_SEARCHED = 20_000
_BLOCKS = 10


@dataclass(frozen=True)
class Measured:
    """The numbers of one tick. `error`: standard error of the distance, from the synthetic faces' side."""

    kernel_distance: float
    error: float
    closer_than_expected: float
    frechet_distance: float


@dataclass(frozen=True)
class HeldOut:
    """Real faces to measure a generator by; all of them are embedded once.

    searched_ND: the training faces, and mirrored ones where training mirrors; threshold: the distance to
    these below which a share `expected` of strangers lies; told: what they are, in words.
    """

    extractor: str
    real_ND: Embeddings
    people: Sequence[Hashable]
    searched_ND: Embeddings
    threshold: float
    expected: float
    told: str

    @staticmethod
    def of(training: FaceSet, held_out: FaceSet, extractor: str, mirror: bool) -> HeldOut:
        """Raises MissingWeights where the extractor's are not on this machine."""
        from anonderm.metrics.distances import nearest

        training, held_out = _first(training, _MOST_SEARCHED), _first(held_out, _MOST_REAL)
        own_ND, mirrored_ND = _embed(training, extractor, mirror)
        searched_ND = np.concatenate([own_ND, mirrored_ND])
        if len(held_out) < FEWEST_HELD_OUT:
            real = _first(training, _MOST_REAL)
            real_ND, told = own_ND[:_MOST_REAL], "the training faces (the val split has too few)"
            control_N = _to_other_people(own_ND, searched_ND, [face.person for face in training])
        else:
            real, (real_ND, _) = held_out, _embed(held_out, extractor, mirror=False)
            told = f"{len(held_out)} faces of the val split"
            control_N = nearest(real_ND, searched_ND)[0][:, 0]
        people: Sequence[Hashable] = [face.person for face in real]
        if real.people == 1:  # no two faces show different people: each has to count for itself
            people = range(len(real))
        rank = max(1, int(_LEVEL * (len(control_N) + 1) + 1e-9))
        threshold = float(np.sort(control_N)[rank - 1]) if len(control_N) else 0.0
        return HeldOut(extractor, real_ND, people, searched_ND, threshold, rank / (len(control_N) + 1), told)

    def measure(self, fake_NHW3: Pixels) -> Measured:
        """Embed synthetic faces and compare them."""
        from anonderm.embeddings.extractors import embed_pixels
        from anonderm.metrics.bootstrap import Rows, jackknife_variances
        from anonderm.metrics.distances import kernel_distance, nearest
        from anonderm.metrics.frechet import frechet_distance

        fake_ND = embed_pixels(fake_NHW3, self.extractor)

        def distance(rows: Rows) -> dict[str, float]:
            return {"distance": kernel_distance(self.real_ND, fake_ND[rows], self.people)}

        rows = np.arange(len(fake_ND))
        variance = jackknife_variances(distance, rows.tolist(), np.random.default_rng(0), _BLOCKS)["distance"]
        share = float(np.mean(nearest(fake_ND, self.searched_ND)[0][:, 0] <= self.threshold))
        return Measured(
            distance(rows)["distance"],
            math.sqrt(variance),
            share / self.expected,
            frechet_distance(self.real_ND, fake_ND),
        )


def _first(faces: FaceSet, count: int) -> FaceSet:
    return FaceSet(faces.folder, faces.faces[:count])


def _embed(faces: FaceSet, extractor: str, mirror: bool) -> tuple[Embeddings, Embeddings]:
    """Embeddings of the faces, and of their mirror images if wanted (no rows otherwise)."""
    from anonderm.embeddings.extractors import embed

    own_ND = embed(faces, extractor)
    return own_ND, embed(faces, extractor, flip=True) if mirror else own_ND[:0]


def _to_other_people(own_ND: Embeddings, searched_ND: Embeddings, people: Sequence[str]) -> Floats:
    """Distance from each training face to the nearest of another person."""
    from anonderm.metrics.distances import nearest

    sides = len(searched_ND) // len(own_ND)
    depth = min(
        len(searched_ND), sides * max(Counter(people).values()) + 1
    )  # deep enough to reach someone else
    distances_NK, indices_NK = nearest(own_ND, searched_ND, depth)
    owners_N = np.array(people)
    others_NK = np.tile(owners_N, sides)[indices_NK] != owners_N[:, None]
    return distances_NK[others_NK.any(axis=1), others_NK.argmax(axis=1)[others_NK.any(axis=1)]]
