"""evaluate detector: a lesion detector against the true boxes of test faces."""

# F faces, K kinds

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device
from anonderm.core.records import Lesion
from anonderm.core.results.lesions import BoxPictures, CountScores, DetectorResult, FaceCount, KindScores
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import DetectorScoresConfig
from anonderm.evaluate.lesions.detections import detect_all, draw_boxes, faces_with_boxes
from anonderm.evaluate.statistics import Bootstrap
from anonderm.metrics.average_precision import (
    Matches,
    average_precisions,
    matches_by_kind,
    mean_average_precision,
)
from anonderm.metrics.bootstrap import Rows
from anonderm.models.lesion_detector.kinds import kinds_of
from anonderm.models.lesion_detector.predict import Detector, load_detector


def evaluate_detector(
    config: DetectorScoresConfig, real: FaceSet, detector: Checkpoint, run: RunDir
) -> DetectorResult:
    """Scores on the real test split, with intervals over people.

    Raises InputError if no test face has a lesion with a box.
    """
    network = load_detector(detector, device())
    held_out = real.where(split="test")
    test = faces_with_boxes(held_out, network)
    if not any(face.lesions for face in test):
        raise InputError(
            f"{real.folder}: no face of split test has lesion boxes to compare detections with.",
            "Give photos with boxes, ingested with a test share above 0.",
        )
    if len(test) < len(held_out):
        run.log(f"{len(held_out) - len(test)} test faces whose lesions are unknown are left out")
    warnings = []
    if unknown := [kind for kind in kinds_of(test) if kind not in network.kinds]:
        warning = (
            f"the detector was not trained on {', '.join(unknown)}; lesions of these kinds are left out."
        )
        warnings.append(warning)
        run.log(f"warning: {warning}")
    detections_F = detect_all(network, test, run, "detecting lesions on the test faces")
    truth_F = [face.boxes for face in test]
    matches = matches_by_kind(detections_F, truth_F, network.kinds)
    counted_F = [network.above_threshold(detections) for detections in detections_F]
    bootstrap = Bootstrap([face.person for face in test], config.seed, config.bootstrap_samples)
    true_FK, counted_FK = (_counts_by_kind(each_F, network.kinds) for each_F in (truth_F, counted_F))
    kinds = {}
    for k, kind in enumerate(run.progress(network.kinds, "intervals")):
        ap50 = bootstrap.score(partial(_ap50, matches[kind]))
        kinds[kind] = KindScores(ap50, _count_scores(true_FK[:, k], counted_FK[:, k], bootstrap))
    return DetectorResult(
        n_people=test.people,
        map50=bootstrap.score(partial(_map, matches, 0)),
        map50_95=bootstrap.score(partial(_map, matches, 1)),
        count=_count_scores(true_FK.sum(axis=1), counted_FK.sum(axis=1), bootstrap),
        kinds=kinds,
        faces=tuple(
            FaceCount(face.id, face.label, len(face.boxes), len(counted))
            for face, counted in zip(test, counted_F, strict=True)
        ),
        pictures=tuple(_pictures(config, test, counted_F, network, run)),
        warnings=tuple(warnings),
    )


def _map(matches: dict[str, list[Matches]], overlap: int, rows: Rows) -> float:
    return mean_average_precision({kind: [of[row] for row in rows] for kind, of in matches.items()})[overlap]


def _ap50(matches: list[Matches], rows: Rows) -> float:
    return float(average_precisions([matches[row] for row in rows])[0])


def _count_scores(
    true_F: NDArray[np.float64], counted_F: NDArray[np.float64], bootstrap: Bootstrap
) -> CountScores:
    return CountScores(
        error=bootstrap.mean(np.abs(counted_F - true_F), better=False),
        bias=bootstrap.mean(counted_F - true_F, better=None),
        lesions=bootstrap.mean(true_F, better=None),
    )


def _counts_by_kind(lesions_F: Sequence[Sequence[Lesion]], kinds: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([[sum(each.kind == kind for each in of) for kind in kinds] for of in lesions_F], float)


def _pictures(
    config: DetectorScoresConfig,
    test: FaceSet,
    counted_F: Sequence[Sequence[Lesion]],
    network: Detector,
    run: RunDir,
) -> list[BoxPictures]:
    """The first faces with lesions of each class, once with true and once with detected boxes."""
    pictures = []
    for label in test.labels or (None,):
        rows = [row for row, face in enumerate(test) if face.label == label and face.lesions]
        for row in rows[: config.shown]:
            face, image_HWC = test.faces[row], test.image(test.faces[row])
            files = {name: f"pictures/{face.id}-{name}.png" for name in ("true", "found")}
            for name, lesions in (("true", face.boxes), ("found", counted_F[row])):
                draw_boxes(run.folder / files[name], image_HWC, lesions, network.kinds)
            pictures.append(BoxPictures(label, **files))
    return pictures
