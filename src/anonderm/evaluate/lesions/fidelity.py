"""evaluate lesions: number, size and place of the lesions on synthetic faces, compared with real ones.

The reference is the lesions detected on the real test split, so that the detector makes the same errors on
both. The baseline is the real train split in place of the synthetic faces (the detector was trained on its
boxes, so it errs less there). In every part as many synthetic as real training faces are compared, because
small samples lie further apart.
"""

# F faces, L lesions

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device
from anonderm.core.records import Face, Lesion
from anonderm.core.results.base import Score
from anonderm.core.results.lesions import (
    ALL,
    FoundPicture,
    LesionDistances,
    LesionFidelityResult,
    LesionPart,
    LesionStatistics,
    LesionValues,
)
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import LesionFidelityConfig
from anonderm.evaluate.held_out import faces_to_compare
from anonderm.evaluate.lesions.detections import detect_all, draw_boxes, faces_with_boxes
from anonderm.metrics.lesion_distances import (
    MEASURES,
    LesionGroup,
    distances_with_intervals,
    sizes_and_places,
)
from anonderm.models.lesion_detector.predict import Detector, load_detector

_MOST_VALUES = 2000
_TOLERANCE = 0.1  # largest relative difference in the pictures' width that goes without a warning


def evaluate_lesions(
    config: LesionFidelityConfig, real: FaceSet, synthetic: FaceSet, detector: Checkpoint, run: RunDir
) -> LesionFidelityResult:
    """Compare the synthetic faces, and as the baseline the real train split, with the real test split.

    Raises InputError if the real set has no test split, TooFewImages for an empty synthetic set.
    """
    network, rng = load_detector(detector, device()), np.random.default_rng(config.seed)
    sets = {
        name: each if len(each) <= config.max_faces else each.sample(config.max_faces, rng)
        for name, each in faces_to_compare(real, synthetic).items()
    }
    sides: dict[str, Side] = {}
    for name, faces in sets.items():
        detections_F = detect_all(network, faces, run, f"detecting lesions: {name}")
        sides[name] = Side.of(faces, [network.above_threshold(detections) for detections in detections_F])
    known = faces_with_boxes(sets["test"], network)
    if any(face.lesions for face in known):
        sides["boxes"] = Side.of(known, [face.boxes for face in known])
    warnings = []
    real_px, synthetic_px = (float(np.median(sides[name].widths_F)) for name in ("test", "synthetic"))
    if abs(real_px - synthetic_px) > _TOLERANCE * real_px:
        warnings.append(
            f"the synthetic faces are {synthetic_px:.0f} px wide, the real ones {real_px:.0f}: lesions of "
            "the same size on the face differ in pixels, and the detector may miss them on one side only."
        )
        run.log(f"warning: {warnings[0]}")
    labels = (ALL, *(label for label in real.labels if label in synthetic.labels))
    return LesionFidelityResult(
        parts={
            label: {kind: _part(sides, kind, label, rng) for kind in (ALL, *network.kinds)}
            for label in run.progress(labels, "comparing lesions")
        },
        real=_values(sides["test"], network.kinds),
        synthetic=_values(sides["synthetic"], network.kinds),
        pictures=(
            *_pictures(config, "real", sets["test"], sides["test"], network, run),
            *_pictures(config, "synthetic", sets["synthetic"], sides["synthetic"], network, run),
        ),
        warnings=tuple(warnings),
    )


@dataclass(frozen=True)
class Side:
    """The faces of one set with the lesions on each, and the width of each picture."""

    faces: tuple[Face, ...]
    lesions_F: tuple[tuple[Lesion, ...], ...]
    widths_F: tuple[int, ...]

    @staticmethod
    def of(faces: FaceSet, lesions_F: Sequence[tuple[Lesion, ...]]) -> Side:
        widths_F = tuple(faces.image(face).shape[1] for face in faces)
        return Side(faces.faces, tuple(lesions_F), widths_F)

    def part(self, kind: str, label: str) -> LesionGroup:
        """The faces of one label with their lesions of one kind."""
        rows = [row for row, face in enumerate(self.faces) if label in (ALL, face.label)]
        lesions_F = tuple(
            sizes_and_places(
                [each for each in self.lesions_F[row] if kind in (ALL, each.kind)], self.widths_F[row]
            )
            for row in rows
        )
        return LesionGroup(lesions_F, tuple(self.faces[row].person for row in rows))


def _part(sides: dict[str, Side], kind: str, label: str, rng: np.random.Generator) -> LesionPart:
    parts = {name: side.part(kind, label) for name, side in sides.items()}
    test, train, generated, boxes = parts["test"], parts["train"], parts["synthetic"], parts.get("boxes")
    count = min(len(generated), len(train) or len(generated))
    synthetic, baseline = _take(generated, count, rng), _take(train, count, rng)
    return LesionPart(
        synthetic=_distances(test, synthetic, rng),
        baseline=_distances(test, baseline, rng),
        detector_error=_distances(test, boxes, rng) if boxes is not None else None,
        test=_statistics(test),
        train=_statistics(train),
        generated=_statistics(generated),
        test_boxes=_statistics(boxes) if boxes is not None else None,
    )


def _take(part: LesionGroup, count: int, rng: np.random.Generator) -> LesionGroup:
    return part if count >= len(part) else part.take(np.sort(rng.permutation(len(part))[:count]))


def _distances(reference: LesionGroup, other: LesionGroup, rng: np.random.Generator) -> LesionDistances:
    scores: dict[str, Score | None] = dict.fromkeys(MEASURES)
    for measure, (value, low, high) in distances_with_intervals(reference, other, rng).items():
        note = f"{MEASURES[measure]}; {len(other)} faces against {len(reference)} real test faces"
        scores[measure] = Score(value, low, high, len(other), False, note)
    return LesionDistances(**scores)


def _statistics(part: LesionGroup) -> LesionStatistics:
    pooled_L3 = part.pooled_L3
    return LesionStatistics(
        faces=len(part),
        count=float(part.counts_F.mean()) if len(part) else None,
        size=float(np.median(pooled_L3[:, 0])) if len(pooled_L3) else None,
    )


def _values(side: Side, kinds: tuple[str, ...]) -> LesionValues:
    whole = side.part(ALL, ALL)
    sizes = {kind: side.part(kind, ALL).pooled_L3[:, 0] for kind in kinds}
    return LesionValues(
        counts=tuple(whole.counts_F.astype(int).tolist()),
        sizes={kind: tuple(np.round(each_L[:_MOST_VALUES], 2).tolist()) for kind, each_L in sizes.items()},
        places=tuple((x, y) for x, y in np.round(whole.pooled_L3[:_MOST_VALUES, 1:], 1).tolist()),
    )


def _pictures(
    config: LesionFidelityConfig,
    name: Literal["real", "synthetic"],
    faces: FaceSet,
    side: Side,
    network: Detector,
    run: RunDir,
) -> list[FoundPicture]:
    """The first faces of each class, with the boxes found on them."""
    pictures = []
    for label in faces.labels or (None,):
        rows = [row for row, face in enumerate(side.faces) if face.label == label]
        for row in rows[: config.shown]:
            file, lesions = f"pictures/{name}-{side.faces[row].id}.png", side.lesions_F[row]
            draw_boxes(run.folder / file, faces.image(side.faces[row]), lesions, network.kinds)
            pictures.append(FoundPicture(name, label, file, len(lesions)))
    return pictures
