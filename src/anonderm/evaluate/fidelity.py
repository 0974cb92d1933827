"""evaluate fidelity: how close the synthetic faces are to real faces that no model has seen.

Scores are named measure[extractor]/part, for each part of the sets: `all`, and every class both have.

frechet    squared Frechet distance; never called FID, which is this distance over another network
kernel     squared maximum mean discrepancy; unbiased, the one to trust when images are few
precision  share of synthetic faces that look real
recall     share of real faces that the synthetic set can show
density, coverage  their counterparts that single odd faces disturb less

The reference is the real test split. measure[extractor]/part/floor is the same number with the real train
split in place of the synthetic faces: what another sample of real people would score. In every part as many
synthetic as real train faces are compared, because all measures but `kernel` depend on how many there are.

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
from anonderm.core.records import Score, Scores
from anonderm.core.rundir import RunDir
from anonderm.evaluate.bootstrap import Rows, jackknife_interval, jackknife_variances
from anonderm.evaluate.config import FidelityConfig
from anonderm.evaluate.distances import frechet_distance, kernel_distance, prdc
from anonderm.evaluate.features import Embeddings, embed

HIGHER_IS_BETTER = {
    "frechet": False,
    "kernel": False,
    "precision": True,
    "recall": True,
    "density": True,
    "coverage": True,
}
_SHARES = ("precision", "recall", "coverage")
_MOST_POINTS = 500


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
                name = f"[{extractor}]/{part}{suffix}"
                scores |= {measure + name: score for measure, score in found.items()}
                row |= {measure + suffix.replace("/", "_"): score.value for measure, score in found.items()}
                details["left_out"] += [{"score": m + name, "reason": why} for m, why in reasons.items()]
            details["table"][extractor].append(row)
            details["reference"][part], details["compared"][part] = sizes.values()
        details["projection"][extractor] = _projection(sides["test"], sides["synthetic"], rng)
    for left_out in details["left_out"]:
        run.log(f"left out {left_out['score']}: {left_out['reason']}")
    return Scores(scores, details)


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
        return self.take([i for i, label in enumerate(self.labels) if part in ("all", label)])

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

    Intervals: delete-a-group jackknife over the people of both sides (a bootstrap would repeat rows, which
    these measures would take for copies).
    """
    values, reasons = _measure(reference, other, neighbours)

    def without_reference(rows: Rows) -> dict[str, float]:
        return _measure(reference.take(rows), other, neighbours)[0]

    def without_other(rows: Rows) -> dict[str, float]:
        return _measure(reference, other.take(rows), neighbours)[0]

    variances = (
        jackknife_variances(without_reference, reference.groups, rng),
        jackknife_variances(without_other, other.groups, rng),
    )
    scores = {}
    for measure, value in values.items():
        low, high = None, None
        if all(measure in by_measure for by_measure in variances):
            low, high = jackknife_interval(value, *(by_measure[measure] for by_measure in variances))
            low = low if measure == "kernel" else max(0.0, low)
            high = min(1.0, high) if measure in _SHARES else high
        note = f"{len(other)} faces against {len(reference)} real test faces"
        scores[measure] = Score(value, low, high, len(other), HIGHER_IS_BETTER[measure], note)
    return scores, reasons


def _measure(real: Side, fake: Side, neighbours: int) -> tuple[dict[str, float], dict[str, str]]:
    real_ND, fake_MD = real.embeddings, fake.embeddings
    values: dict[str, float] = {}
    reasons: dict[str, str] = {}
    try:
        values["frechet"] = frechet_distance(real_ND, fake_MD)
    except TooFewImages as error:
        reasons["frechet"] = error.message
    try:
        values["kernel"] = kernel_distance(real_ND, fake_MD, real.groups, fake.groups)
    except TooFewImages as error:
        reasons["kernel"] = error.message
    try:
        values |= prdc(real_ND, fake_MD, neighbours)
    except TooFewImages as error:
        reasons |= dict.fromkeys(("precision", "recall", "density", "coverage"), error.message)
    return values, reasons


def _projection(real: Side, synthetic: Side, rng: np.random.Generator) -> dict[str, Any]:
    """Both sets on the first two principal axes of the real faces."""
    mean_D = real.embeddings.mean(axis=0)
    _, strengths, axes_KD = np.linalg.svd(real.embeddings - mean_D, full_matrices=False)
    shares = strengths**2 / max(float((strengths**2).sum()), 1e-12)
    points: list[dict[str, Any]] = []
    for name, side in (("real", real), ("synthetic", synthetic)):
        shown = side.sample(_MOST_POINTS, rng)
        xy_N2: NDArray[np.float32] = (shown.embeddings - mean_D) @ axes_KD[:2].T
        for (x, y), label in zip(xy_N2.tolist(), shown.labels, strict=True):
            points.append({"set": name, "label": label, "x": round(x, 4), "y": round(y, 4)})
    return {"explained": [round(float(share), 4) for share in shares[:2]], "points": points}
