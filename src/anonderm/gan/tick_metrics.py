"""Metrics of a tick: how close generated faces are to held-out faces, and whether they copy training faces.

Three numbers a tick, all over embeddings:

kernel_distance   from the faces of the validation split; to the training faces, a generator that copies them
                  would only come closer and closer
frechet_distance  from the same faces, as papers plot it (FID, with Inception features); biased for few faces
near_copy_ratio   the share of generated faces as close to a training face as only the nearest 5% of held-out
                  faces are, divided by the share expected if they were distributed like held-out faces: 1
                  where nothing is copied (Meehan et al. 2020 test the same distances by their ranks)

A FaceSet with fewer than 19 validation faces, for instance a synthetic one, has no such control. The distance
is then taken from the training faces, and the control is each training face against those of other people.
"""

# N faces, V views, D features, H x W pixels

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels

Embeddings = NDArray[np.float32]
Floats = NDArray[np.float64]

_LEVEL = 0.05
_MIN_HELD_OUT = 19  # below, the nearest 5% are not even one
_MAX_REAL = 1024
_MAX_SEARCHED = 20_000
_JACKKNIFE_BLOCKS = 10


@dataclass(frozen=True)
class TickMetrics:
    """The metrics of one tick; `standard_error` is that of the kernel distance over the generated faces."""

    kernel_distance: float
    standard_error: float
    near_copy_ratio: float
    frechet_distance: float


@dataclass(frozen=True)
class TickEvaluator:
    """The embeddings of real faces with which those of generated faces are compared at every tick.

    searched_NVD: the training faces, with a mirrored view if training mirrors them; threshold: the distance
    from these that a share `expected` of held-out faces does not exceed; reference: a description of the real
    faces.
    """

    extractor: str
    real_ND: Embeddings
    people: Sequence[Hashable]
    searched_NVD: Embeddings
    threshold: float
    expected: float
    reference: str

    @staticmethod
    def of(training: FaceSet, held_out: FaceSet, extractor: str, mirror: bool) -> TickEvaluator:
        """Raises MissingWeights if those of the extractor are not installed."""
        from anonderm.embeddings.extractors import embed, embed_both_sides
        from anonderm.metrics.pairwise import nearest

        training, held_out = _first(training, _MAX_SEARCHED), _first(held_out, _MAX_REAL)
        searched_NVD = (
            embed_both_sides(training, extractor) if mirror else embed(training, extractor)[:, None]
        )
        if len(held_out) < _MIN_HELD_OUT:
            real = _first(training, _MAX_REAL)
            real_ND, reference = searched_NVD[:_MAX_REAL, 0], "the training faces (the val split has too few)"
            own = [face.person for face in training]
            control_N = nearest(searched_NVD[:, 0], searched_NVD, exclude=(own, own)).distances_M
            control_N = control_N[np.isfinite(control_N)]  # infinite if all faces show one person
        else:
            real, real_ND = held_out, embed(held_out, extractor)
            reference = f"{len(held_out)} faces of the val split"
            control_N = nearest(real_ND, searched_NVD).distances_M
        people: Sequence[Hashable] = [face.person for face in real]
        if real.people == 1:  # there are no pairs of different people: each face counts as one
            people = range(len(real))
        rank = max(1, int(_LEVEL * (len(control_N) + 1) + 1e-9))
        threshold = float(np.sort(control_N)[rank - 1]) if len(control_N) else 0.0
        expected = rank / (len(control_N) + 1)
        return TickEvaluator(extractor, real_ND, people, searched_NVD, threshold, expected, reference)

    def evaluate(self, fake_NHW3: Pixels) -> TickMetrics:
        """Compare generated faces with the real ones."""
        from anonderm.embeddings.extractors import embed_pixels
        from anonderm.metrics.bootstrap import Rows, jackknife_variances
        from anonderm.metrics.frechet import frechet_distance
        from anonderm.metrics.mmd import kernel_distance
        from anonderm.metrics.pairwise import nearest

        fake_ND = embed_pixels(fake_NHW3, self.extractor)

        def distance(rows: Rows) -> dict[str, float]:
            return {"distance": kernel_distance(self.real_ND, fake_ND[rows], self.people)}

        rows = np.arange(len(fake_ND))
        random = np.random.default_rng(0)
        variance = jackknife_variances(distance, rows.tolist(), random, _JACKKNIFE_BLOCKS)["distance"]
        share = float(np.mean(nearest(fake_ND, self.searched_NVD).distances_M <= self.threshold))
        return TickMetrics(
            distance(rows)["distance"],
            math.sqrt(variance),
            share / self.expected,
            frechet_distance(self.real_ND, fake_ND),
        )


def _first(faces: FaceSet, count: int) -> FaceSet:
    return FaceSet(faces.folder, faces.faces[:count])
