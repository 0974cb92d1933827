"""evaluate lesions: number, size and place of the lesions on synthetic faces against those on real ones.

Scores are named measure[kind]/label, with `all` for every kind or every face. The reference is the lesions
that the detector finds on the real test split, so that it errs alike on both sides. Beside every score:

/floor     the same number for the real train split in place of the synthetic faces: what other real people
           score (of the train split the detector has seen the boxes, and so errs less there)
/detector  what the detector's own errors make of the number: found against true boxes, both of the test split
           (where these are known)

In every part as many synthetic as real train faces are compared, for small samples lie further apart.

details:
    kinds, labels
    table     [{kind, label, set: real | real, true | train | synthetic, faces, count, size}]: mean lesions a
              face, median size in percent of the picture's width
    values    {real | synthetic: {counts: [...], sizes: {kind: [...]}, places: [[x, y], ...]}} of all faces
    pictures  [{set, label, file, found}]
    warnings
"""

# F faces, L lesions

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import InputError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device
from anonderm.core.records import Face, Lesion, Scores
from anonderm.core.results.base import Score
from anonderm.core.rundir import RunDir
from anonderm.evaluate.lesions.config import LesionFidelityConfig
from anonderm.evaluate.lesions.detections import as_the_detector_sees, draw_boxes, find_on
from anonderm.metrics.lesion_distances import MEASURES, Spotted, seen_as, with_intervals
from anonderm.models.lesion_detector.predict import Detector, load_detector

ALL = "all"
_MOST_VALUES = 2000
_ALIKE = 0.1  # largest difference in the pictures' width, as a share, that goes without a warning


def evaluate_lesions(
    config: LesionFidelityConfig, real: FaceSet, synthetic: FaceSet, detector: Checkpoint, run: RunDir
) -> Scores:
    """Compare the synthetic faces, and as the floor the real train split, with the real test split.

    Raises InputError where the real set has no test split, or TooFewImages for an empty synthetic set.
    """
    finder, rng = load_detector(detector, device()), np.random.default_rng(config.seed)
    sets = _chosen(config, real, synthetic, rng)
    sides = {
        name: Side.of(
            faces,
            [finder.above_threshold(found) for found in find_on(finder, faces, run, f"finding: {name}")],
        )
        for name, faces in sets.items()
    }
    known = as_the_detector_sees(sets["real"], finder)
    if any(face.lesions for face in known):
        sides["real, true"] = Side.of(known, [face.lesions for face in known])
    warnings = _warnings(sides)
    for warning in warnings:
        run.log(f"Caution: {warning}")
    labels = (ALL, *(label for label in real.labels if label in synthetic.labels))
    scores: dict[str, Score] = {}
    table: list[dict[str, Any]] = []
    for label in run.progress(labels, "comparing lesions"):
        for kind in (ALL, *finder.kinds):
            parts = {name: side.part(kind, label) for name, side in sides.items()}
            scores |= _scores(parts, f"[{kind}]/{label}", rng)
            table += [_row(name, kind, label, part) for name, part in parts.items()]
    details = {
        "kinds": list(finder.kinds),
        "labels": list(labels),
        "table": table,
        "values": {name: _values(sides[name], finder.kinds) for name in ("real", "synthetic")},
        "pictures": _pictures(config, sets, sides, finder, run),
        "warnings": warnings,
    }
    return Scores(scores, details)


@dataclass(frozen=True)
class Side:
    """The faces of one set with what is on each, and the width of each picture."""

    faces: tuple[Face, ...]
    lesions_F: tuple[tuple[Lesion, ...], ...]
    widths_F: tuple[int, ...]

    @staticmethod
    def of(faces: FaceSet, lesions_F: Sequence[tuple[Lesion, ...]]) -> Side:
        widths_F = tuple(faces.image(face).shape[1] for face in faces)
        return Side(faces.faces, tuple(lesions_F), widths_F)

    def part(self, kind: str, label: str) -> Spotted:
        """The faces of one label with their lesions of one kind."""
        rows = [row for row, face in enumerate(self.faces) if label in (ALL, face.label)]
        lesions_F = tuple(
            seen_as([each for each in self.lesions_F[row] if kind in (ALL, each.kind)], self.widths_F[row])
            for row in rows
        )
        return Spotted(lesions_F, tuple(self.faces[row].person for row in rows))


def _chosen(
    config: LesionFidelityConfig, real: FaceSet, synthetic: FaceSet, rng: np.random.Generator
) -> dict[str, FaceSet]:
    test = real.where(split="test")
    if not test.faces:
        raise InputError(
            f"{real.folder}: no face is in split test, so there is nothing unseen to compare with.",
            "Ingest the photos with a test share above 0.",
        )
    if not synthetic.faces:
        raise TooFewImages(f"{synthetic.folder}: the synthetic set is empty.")
    sets = {"real": test, "train": real.where(split="train"), "synthetic": synthetic}
    return {name: _sample(faces, config.max_faces, rng) for name, faces in sets.items()}


def _sample(faces: FaceSet, count: int, rng: np.random.Generator) -> FaceSet:
    if len(faces) <= count:
        return faces
    return FaceSet(
        faces.folder, tuple(faces.faces[row] for row in np.sort(rng.permutation(len(faces))[:count]))
    )


def _warnings(sides: dict[str, Side]) -> list[str]:
    real, synthetic = (float(np.median(sides[name].widths_F)) for name in ("real", "synthetic"))
    if abs(real - synthetic) <= _ALIKE * real:
        return []
    return [
        f"the synthetic faces are {synthetic:.0f} px wide, the real ones {real:.0f}: lesions of one size on "
        "the face differ in pixels, and the detector may find them on one side only."
    ]


def _scores(parts: dict[str, Spotted], name: str, rng: np.random.Generator) -> dict[str, Score]:
    reference = parts["real"]
    count = min(len(parts["synthetic"]), len(parts["train"]) or len(parts["synthetic"]))
    others = {"": _take(parts["synthetic"], count, rng), "/floor": _take(parts["train"], count, rng)}
    if "real, true" in parts:
        others["/detector"] = parts["real, true"]
    scores = {}
    for suffix, other in others.items():
        for measure, (value, low, high) in with_intervals(reference, other, rng).items():
            note = f"{MEASURES[measure]}; {len(other)} faces against {len(reference)} real test faces"
            scores[f"{measure}{name}{suffix}"] = Score(value, low, high, len(other), False, note)
    return scores


def _take(part: Spotted, count: int, rng: np.random.Generator) -> Spotted:
    return part if count >= len(part) else part.take(np.sort(rng.permutation(len(part))[:count]))


def _row(name: str, kind: str, label: str, part: Spotted) -> dict[str, Any]:
    pooled_L3 = part.pooled_L3
    return {
        "set": name,
        "kind": kind,
        "label": label,
        "faces": len(part),
        "count": float(part.counts_F.mean()) if len(part) else None,
        "size": float(np.median(pooled_L3[:, 0])) if len(pooled_L3) else None,
    }


def _values(side: Side, kinds: tuple[str, ...]) -> dict[str, Any]:
    """What histograms and maps are drawn from."""
    every = side.part(ALL, ALL)
    sizes = {kind: side.part(kind, ALL).pooled_L3[:, 0] for kind in kinds}
    return {
        "counts": every.counts_F.astype(int).tolist(),
        "sizes": {kind: np.round(values_L[:_MOST_VALUES], 2).tolist() for kind, values_L in sizes.items()},
        "places": np.round(every.pooled_L3[:_MOST_VALUES, 1:], 1).tolist(),
    }


def _pictures(
    config: LesionFidelityConfig,
    sets: dict[str, FaceSet],
    sides: dict[str, Side],
    finder: Detector,
    run: RunDir,
) -> list[dict[str, Any]]:
    """The first faces of each class of either set, with the boxes found on them."""
    entries = []
    for name in ("real", "synthetic"):
        side = sides[name]
        for label in sets[name].labels or (None,):
            rows = [row for row, face in enumerate(side.faces) if face.label == label]
            for row in rows[: config.shown]:
                file, lesions = f"pictures/{name}-{side.faces[row].id}.png", side.lesions_F[row]
                draw_boxes(run.folder / file, sets[name].image(side.faces[row]), lesions, finder.kinds)
                entries.append({"set": name, "label": label, "file": file, "found": len(lesions)})
    return entries
