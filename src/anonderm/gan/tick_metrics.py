"""Metrics of a tick (closeness to held-out faces, copies of training faces), and the choice of the best tick.

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
from dataclasses import asdict, dataclass
from typing import Any

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
    """The metrics of one tick; the error is the standard error over the generated faces."""

    kernel_distance: float
    kernel_distance_error: float
    frechet_distance: float
    near_copy_ratio: float


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
            frechet_distance(self.real_ND, fake_ND),
            share / self.expected,
        )


def _first(faces: FaceSet, count: int) -> FaceSet:
    return FaceSet(faces.folder, faces.faces[:count])


MAX_NEAR_COPY_RATIO = 4.0
"""A tick with more than this many times the expected near-copies is kept only if all ticks have so many.

If synthetic faces were as far from training faces as held-out ones, chance would exceed this in at most 2% of
runs, however few faces were held out: e^-4, if the nearest held-out face alone sets the threshold."""


@dataclass
class BestTick:
    """The kept tick so far: its step, its metrics, and the number of ticks since then.

    A tick is kept if its kernel distance exceeds the lowest so far by no more than the standard error of
    their difference: of two indistinguishable ticks the later one, as a low distance over a few hundred faces
    may be luck (the one-standard-error rule; Breiman et al. 1984, sec. 3.4.3). Ticks that copy training faces
    are kept only while there are no others, and of those the one with the fewest near-copies.
    """

    step: int = 0
    kernel_distance: float = math.inf
    standard_error: float = 0.0
    near_copy_ratio: float = math.inf
    lowest: float = math.inf
    lowest_error: float = 0.0
    ticks_since: int = 0

    def update(self, step: int, metrics: TickMetrics) -> bool:
        """Take a tick into account; return whether it is kept."""
        keep = self._is_as_good(metrics)
        self.ticks_since = 0 if keep else self.ticks_since + 1
        if keep:
            self.step, self.kernel_distance = step, metrics.kernel_distance
            self.standard_error, self.near_copy_ratio = metrics.kernel_distance_error, metrics.near_copy_ratio
        if metrics.near_copy_ratio <= MAX_NEAR_COPY_RATIO and metrics.kernel_distance < self.lowest:
            self.lowest, self.lowest_error = metrics.kernel_distance, metrics.kernel_distance_error
        return keep

    def _is_as_good(self, metrics: TickMetrics) -> bool:
        if metrics.near_copy_ratio > MAX_NEAR_COPY_RATIO:
            return metrics.near_copy_ratio < self.near_copy_ratio and self.lowest == math.inf
        margin = math.hypot(metrics.kernel_distance_error, self.lowest_error)
        return metrics.kernel_distance <= self.lowest + margin

    @property
    def copies(self) -> bool:
        """Whether even the kept tick has too many near-copies of training faces."""
        return self.step > 0 and self.near_copy_ratio > MAX_NEAR_COPY_RATIO

    def values(self) -> dict[str, Any]:
        """The fields as JSON values; infinite ones are left out."""
        return {name: value for name, value in asdict(self).items() if value != math.inf}
