"""evaluate fidelity: how close the synthetic faces are to real faces that no model has seen.

Scores are named measure[extractor]/part, for each part of the sets: `all`, and every class both have. In the
order in which to trust them when images are few:

kernel     squared maximum mean discrepancy, unbiased; over Inception features this is `kid`
rbf        the same under a Gaussian kernel
precision  share of synthetic faces that look real
recall     share of real faces that the synthetic set can show
density, coverage  their counterparts that single odd faces disturb less
frechet    squared Frechet distance, biased upwards; `fid` over Inception features, `fd` over DINOv2's, and
           over no other network's
frechet_infinity  extrapolated to endless sets, where images are enough; likewise fid_infinity, fd_infinity

The reference is the real test split. measure[extractor]/part/floor is the same number with the real train
split in place of the synthetic faces: what another sample of real people would score. In every part as many
synthetic as real train faces are compared, because all measures but the kernels depend on how many there are.

details:
    reference, compared   numbers of faces, by part
    left_out              [{score, reason}]: what the images at hand cannot support
    table                 {extractor: [{part, reference, compared, <measure>, <measure>_floor}]}
    projection            {extractor: {explained: [share, share],
                           points: [{set: real | synthetic, label, x, y}]}}, axes from the real test faces
"""

# N real test images, M images compared with them, D features

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import InputError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Scores
from anonderm.core.results.base import Score
from anonderm.core.rundir import RunDir
from anonderm.embeddings.extractors import Embeddings, embed
from anonderm.evaluate.config import FidelityConfig
from anonderm.metrics.bootstrap import Rows, jackknife_interval
from anonderm.metrics.set_comparison import MAX_PAIRED, compare_sets

HIGHER_IS_BETTER = {
    "kernel": False,
    "rbf": False,
    "precision": True,
    "recall": True,
    "density": True,
    "coverage": True,
    "frechet": False,
    "frechet_infinity": False,
}
# What the literature calls these measures over one network, and over no other.
NAMES = {
    "inception": {"kernel": "kid", "frechet": "fid", "frechet_infinity": "fid_infinity"},
    "dinov2": {"frechet": "fd", "frechet_infinity": "fd_infinity"},
}
_SHARES = ("precision", "recall", "coverage")
_ENOUGH_ROWS = 10  # images for each feature from which the bias of the Frechet distance is small
_MOST_POINTS = 500
_MOST_FOR_AXES = 2000


def evaluate_fidelity(config: FidelityConfig, real: FaceSet, synthetic: FaceSet, run: RunDir) -> Scores:
    """Compare the synthetic faces, and as the floor the real train split, with the real test split.

    Raises InputError where the real set has no test split or the synthetic one is empty.
    """
    _check_inputs(real, synthetic)
    scores: dict[str, Score] = {}
    details: dict[str, Any] = {"reference": {}, "compared": {}, "left_out": [], "table": {}, "projection": {}}
    for extractor in config.extractors:
        rng = np.random.default_rng(config.seed)
        sides = {
            "test": Side.of(real.where(split="test"), extractor),
            "train": Side.of(real.where(split="train"), extractor),
            "synthetic": Side.of(synthetic, extractor),
        }
        details["table"][extractor] = []
        for part in run.progress(_parts(real, synthetic), f"comparing by {extractor}"):
            chosen = _equal_sizes({name: side.part(part) for name, side in sides.items()}, config, rng)
            sizes = {"reference": len(chosen["test"]), "compared": len(chosen["synthetic"])}
            row: dict[str, Any] = {"part": part, **sizes}
            for side, suffix in (("synthetic", ""), ("train", "/floor")):
                found, reasons = compare(chosen["test"], chosen[side], config.neighbours, rng)
                names = {name: score_name(name, extractor, part) + suffix for name in HIGHER_IS_BETTER}
                scores |= {names[name]: score for name, score in found.items()}
                row |= {name + suffix.replace("/", "_"): score.value for name, score in found.items()}
                details["left_out"] += [{"score": names[n], "reason": why} for n, why in reasons.items()]
            details["table"][extractor].append(row)
            details["reference"][part], details["compared"][part] = sizes.values()
        details["projection"][extractor] = _projection(sides["test"], sides["synthetic"], rng)
    for left_out in details["left_out"]:
        run.log(f"left out {left_out['score']}: {left_out['reason']}")
    return Scores(scores, details)


def score_name(name: str, extractor: str, part: str) -> str:
    return f"{NAMES.get(extractor, {}).get(name, name)}[{extractor}]/{part}"


@dataclass(frozen=True)
class Side:
    """One side of a comparison: embeddings, and whose face each is (no one's, where it is synthetic)."""

    embeddings: Embeddings
    labels: tuple[str | None, ...]
    groups: tuple[Hashable, ...]

    @staticmethod
    def of(faces: FaceSet, extractor: str) -> Side:
        groups = tuple(face.person for face in faces)
        return Side(embed(faces, extractor), tuple(face.label for face in faces), groups)

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


def _check_inputs(real: FaceSet, synthetic: FaceSet) -> None:
    if not real.where(split="test").faces:
        raise InputError(
            f"{real.folder}: no face is in split test, so there is nothing unseen to compare with.",
            "Ingest the photos with a test share above 0.",
        )
    if not synthetic.faces:
        raise TooFewImages(f"{synthetic.folder}: the synthetic set is empty.")


def _parts(real: FaceSet, synthetic: FaceSet) -> list[str]:
    return ["all", *(label for label in real.labels if label in synthetic.labels)]


def _equal_sizes(sides: dict[str, Side], config: FidelityConfig, rng: np.random.Generator) -> dict[str, Side]:
    """As many synthetic faces as real train faces; all of them where there is no train split."""
    count = min(config.max_faces, len(sides["synthetic"]), len(sides["train"]) or config.max_faces)
    sizes = {"test": config.max_faces, "train": count, "synthetic": count}
    return {name: side.sample(sizes[name], rng) for name, side in sides.items()}


def compare(
    reference: Side, other: Side, neighbours: int, rng: np.random.Generator
) -> tuple[dict[str, Score], dict[str, str]]:
    """Scores of `other` against `reference` by measure, and for the measures left out, why.

    Intervals are normal, with the jackknife's variance over the people of both sides (a bootstrap would
    repeat rows, which most of these measures would take for copies).
    """
    found, reasons = compare_sets(
        reference.embeddings, other.embeddings, reference.groups, other.groups, neighbours, rng
    )
    features = other.embeddings.shape[1]
    few = min(len(other), len(reference)) < _ENOUGH_ROWS * features
    bias = f"; biased upwards by so few faces for {features} features: compare with the floor only"
    scores = {}
    for name, better in HIGHER_IS_BETTER.items():
        if (each := found.get(name)) is None:
            continue
        low, high = None, None
        if each.variance is not None:
            low, high = jackknife_interval(each.value, each.variance)
            low = low if name in ("kernel", "rbf") else max(0.0, low)
            high = min(1.0, high) if name in _SHARES else high
        most = len(other) + len(reference) if name.startswith("frechet") else MAX_PAIRED
        count, of_test = min(len(other), most), min(len(reference), most)
        note = f"{count} faces against {of_test} real test faces"
        note += bias if few and name == "frechet" else ""
        scores[name] = Score(each.value, low, high, count, better, note)
    return scores, reasons


def _projection(real: Side, synthetic: Side, rng: np.random.Generator) -> dict[str, Any]:
    """Both sets on the first two principal axes of (at most 2,000 of) the real faces."""
    rows_ND = real.sample(_MOST_FOR_AXES, rng).embeddings
    mean_D = rows_ND.mean(axis=0)
    _, strengths, axes_KD = np.linalg.svd(rows_ND - mean_D, full_matrices=False)
    shares = strengths**2 / max(float((strengths**2).sum()), 1e-12)
    points: list[dict[str, Any]] = []
    for name, side in (("real", real), ("synthetic", synthetic)):
        shown = side.sample(_MOST_POINTS, rng)
        xy_N2: NDArray[np.float32] = (shown.embeddings - mean_D) @ axes_KD[:2].T
        for (x, y), label in zip(xy_N2.tolist(), shown.labels, strict=True):
            points.append({"set": name, "label": label, "x": round(x, 4), "y": round(y, 4)})
    return {"explained": [round(float(share), 4) for share in shares[:2]], "points": points}
