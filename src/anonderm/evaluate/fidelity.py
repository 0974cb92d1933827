"""evaluate fidelity: how close synthetic faces are to real test faces, in the space of an embedding.

The measures, the most reliable for small sets first: kernel and rbf (unbiased), precision, recall, density
and coverage, frechet (biased upwards), frechet_infinity. The baseline is real training faces compared with
real test faces. In every part of the sets as many synthetic as real training faces are compared, because all
measures but the kernels depend on how many there are.
"""

# N real test images, M images compared with them, D features

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anonderm.core.faceset import FaceSet
from anonderm.core.results.base import LeftOut, Score
from anonderm.core.results.fidelity import (
    ExtractorDistances,
    FidelityResult,
    PartDistances,
    Point,
    Projection,
    SetDistances,
)
from anonderm.core.rundir import RunDir
from anonderm.embeddings.extractors import Embeddings, embed
from anonderm.evaluate.config import FidelityConfig
from anonderm.evaluate.held_out import faces_to_compare
from anonderm.metrics.bootstrap import Rows, jackknife_interval
from anonderm.metrics.set_comparison import MAX_PAIRED, compare_sets

# What the literature calls these measures over one network, and over no other.
NAMES = {
    "inception": {"kernel": "KID", "frechet": "FID", "frechet_infinity": "FID-infinity"},
    "dinov2": {"frechet": "FD-DINOv2", "frechet_infinity": "FD-DINOv2-infinity"},
}
_HIGHER_IS_BETTER = ("precision", "recall", "density", "coverage")
_SHARES = ("precision", "recall", "coverage")
_ENOUGH_ROWS = 10  # images for each feature from which the bias of the Frechet distance is small
_MOST_POINTS = 500
_MOST_FOR_AXES = 2000


def evaluate_fidelity(
    config: FidelityConfig, real: FaceSet, synthetic: FaceSet, run: RunDir
) -> FidelityResult:
    """Compare synthetic faces, and as the baseline the real train split, with the real test split.

    Raises InputError where the real set has no test split or the synthetic one is empty.
    """
    sets = faces_to_compare(real, synthetic)
    parts = ["all", *(label for label in real.labels if label in synthetic.labels)]
    extractors: dict[str, ExtractorDistances] = {}
    left_out: list[LeftOut] = []
    for extractor in config.extractors:
        extractors[extractor], reasons = _compare_sets(config, extractor, sets, parts, run)
        left_out += reasons
    for each in left_out:
        run.log(f"left out {each.name}: {each.reason}")
    return FidelityResult(extractors, tuple(left_out))


def _compare_sets(
    config: FidelityConfig, extractor: str, sets: dict[str, FaceSet], names: list[str], run: RunDir
) -> tuple[ExtractorDistances, list[LeftOut]]:
    rng = np.random.default_rng(config.seed)
    sides = {name: Side.of(faces, extractor) for name, faces in sets.items()}
    parts, left_out = {}, []
    for part in run.progress(names, f"comparing by {extractor}"):
        chosen = _equal_sizes({name: side.part(part) for name, side in sides.items()}, config, rng)
        to_test = partial(compare, chosen["test"], neighbours=config.neighbours, rng=rng)
        distances, reasons = to_test(chosen["synthetic"])
        baseline, baseline_reasons = to_test(chosen["train"])
        parts[part] = PartDistances(len(chosen["test"]), len(chosen["synthetic"]), distances, baseline)
        for side, of_side in (("synthetic", reasons), ("baseline", baseline_reasons)):
            left_out += [LeftOut(f"{extractor}/{part}/{side}/{name}", why) for name, why in of_side.items()]
    projection = _projection(sides["test"], sides["synthetic"], rng)
    return ExtractorDistances(NAMES.get(extractor, {}), parts, projection), left_out


@dataclass(frozen=True)
class Side:
    """One side of a comparison: embeddings, labels, and the person of each face."""

    embeddings: Embeddings
    labels: tuple[str | None, ...]
    groups: tuple[Hashable, ...]

    @staticmethod
    def of(faces: FaceSet, extractor: str) -> Side:
        labels, groups = tuple(face.label for face in faces), tuple(face.person for face in faces)
        return Side(embed(faces, extractor), labels, groups)

    def __len__(self) -> int:
        return len(self.embeddings)

    def take(self, rows: Sequence[int] | Rows) -> Side:
        labels, groups = tuple(self.labels[i] for i in rows), tuple(self.groups[i] for i in rows)
        return Side(self.embeddings[np.asarray(rows, np.intp)], labels, groups)

    def part(self, part: str) -> Side:
        if part == "all":
            return self
        return self.take([i for i, label in enumerate(self.labels) if label == part])

    def sample(self, count: int, rng: np.random.Generator) -> Side:
        return self if count >= len(self) else self.take(np.sort(rng.permutation(len(self))[:count]))


def _equal_sizes(sides: dict[str, Side], config: FidelityConfig, rng: np.random.Generator) -> dict[str, Side]:
    """As many synthetic faces as real train faces; all of them where there is no train split."""
    count = min(config.max_faces, len(sides["synthetic"]), len(sides["train"]) or config.max_faces)
    sizes = {"test": config.max_faces, "train": count, "synthetic": count}
    return {name: side.sample(sizes[name], rng) for name, side in sides.items()}


def compare(
    reference: Side, other: Side, neighbours: int, rng: np.random.Generator
) -> tuple[SetDistances, dict[str, str]]:
    """Distances of `other` from `reference`, and for the measures left out, the reason.

    Intervals are normal, with the jackknife's variance over the people of both sides (a bootstrap would
    repeat rows, which most of these measures would take for copies).
    """
    found, reasons = compare_sets(
        reference.embeddings, other.embeddings, reference.groups, other.groups, neighbours, rng
    )
    features = other.embeddings.shape[1]
    few = min(len(other), len(reference)) < _ENOUGH_ROWS * features
    bias = f"; biased upwards by so few faces for {features} features: compare with the baseline only"
    scores: dict[str, Score | None] = {field.name: None for field in fields(SetDistances)}
    for name, each in found.items():
        low, high = None, None
        if each.variance is not None:
            low, high = jackknife_interval(each.value, each.variance)
            low = low if name in ("kernel", "rbf") else max(0.0, low)
            high = min(1.0, high) if name in _SHARES else high
        most = len(other) + len(reference) if name.startswith("frechet") else MAX_PAIRED
        count, of_test = min(len(other), most), min(len(reference), most)
        note = f"{count} faces against {of_test} real test faces"
        note += bias if few and name == "frechet" else ""
        scores[name] = Score(each.value, low, high, count, name in _HIGHER_IS_BETTER, note)
    return SetDistances(**scores), reasons


def _projection(real: Side, synthetic: Side, rng: np.random.Generator) -> Projection:
    """Both sets on the first two principal axes of (at most 2,000 of) the real faces."""
    rows_ND = real.sample(_MOST_FOR_AXES, rng).embeddings
    mean_D = rows_ND.mean(axis=0)
    _, strengths, axes_KD = np.linalg.svd(rows_ND - mean_D, full_matrices=False)
    shares = strengths**2 / max(float((strengths**2).sum()), 1e-12)

    def points(name: Literal["real", "synthetic"], side: Side) -> list[Point]:
        shown = side.sample(_MOST_POINTS, rng)
        xy_N2: NDArray[np.float32] = (shown.embeddings - mean_D) @ axes_KD[:2].T
        return [
            Point(name, label, round(x, 4), round(y, 4))
            for (x, y), label in zip(xy_N2.tolist(), shown.labels, strict=True)
        ]

    explained = tuple(round(float(share), 4) for share in shares[:2])
    return Projection(explained, (*points("real", real), *points("synthetic", synthetic)))
