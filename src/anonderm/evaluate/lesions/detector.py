"""evaluate detector: how well a detector finds the lesions of people it has not met.

map50, map50_95    mean average precision over the kinds, at half overlap and over overlaps of 0.5 to 0.95
ap50/<kind>        of one kind
count_error        mean absolute error of the number of lesions counted on a face; also /<kind>
count_bias         mean of counted less true; also /<kind>
lesions            true lesions on a face, on average, to read the errors by; also /<kind>

details: kinds, faces [{id, label, true, counted}], pictures [{label, true, found}] (files), warnings
"""

# N finds, F faces, K kinds

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device
from anonderm.core.records import Lesion, Scores
from anonderm.core.results.base import Score
from anonderm.core.rundir import RunDir
from anonderm.evaluate.lesions.config import DetectorScoresConfig
from anonderm.evaluate.lesions.detections import as_the_detector_sees, draw_boxes, find_on
from anonderm.metrics.average_precision import (
    Matches,
    average_precisions,
    matches_by_kind,
    mean_average_precision,
)
from anonderm.metrics.bootstrap import Rows, Statistic, interval
from anonderm.models.lesion_detector.kinds import kinds_of
from anonderm.models.lesion_detector.predict import Detector, load_detector

_HIGHER_IS_BETTER = {"map50": True, "map50_95": True, "ap50": True, "count_error": False}


def evaluate_detector(
    config: DetectorScoresConfig, real: FaceSet, detector: Checkpoint, run: RunDir
) -> Scores:
    """Scores on the real test split, with intervals over people.

    Raises InputError where no test face has a lesion with a box.
    """
    finder = load_detector(detector, device())
    test = as_the_detector_sees(real.where(split="test"), finder)
    if not any(face.lesions for face in test):
        raise InputError(
            f"{real.folder}: no face of split test has lesion boxes, so there is nothing to find.",
            "Give photos with boxes, ingested with a test share above 0.",
        )
    warnings = _warnings(test, finder)
    for warning in warnings:
        run.log(f"Caution: {warning}")
    found_F = find_on(finder, test, run, "finding lesions on the test faces")
    matches = matches_by_kind(found_F, [face.lesions for face in test], finder.kinds)
    counted_F = [finder.above_threshold(found) for found in found_F]
    statistics = _precisions(matches) | _counts(counted_F, [face.lesions for face in test], finder.kinds)
    people = [face.person for face in test]
    scores = {}
    for name, statistic in run.progress(list(statistics.items()), "intervals"):
        value = statistic(np.arange(len(test)))
        if np.isnan(value):
            continue
        low, high = interval(statistic, people, np.random.default_rng(config.seed), config.bootstrap_samples)
        better = _HIGHER_IS_BETTER.get(name.partition("/")[0])
        scores[name] = Score(value, low, high, len(test), better)
    details = {
        "kinds": list(finder.kinds),
        "n_people": test.people,
        "faces": [
            {"id": face.id, "label": face.label, "true": len(face.lesions), "counted": len(counted)}
            for face, counted in zip(test, counted_F, strict=True)
        ],
        "pictures": _pictures(config, test, counted_F, finder, run),
        "warnings": warnings,
    }
    return Scores(scores, details)


def _warnings(test: FaceSet, finder: Detector) -> list[str]:
    unknown = [kind for kind in kinds_of(test) if kind not in finder.kinds]
    if not unknown:
        return []
    return [f"the detector does not know {', '.join(unknown)}; lesions of these kinds are left out."]


def _precisions(matches: dict[str, list[Matches]]) -> dict[str, Statistic]:
    def of_all(overlap: int, rows: Rows) -> float:
        return mean_average_precision({kind: [of[row] for row in rows] for kind, of in matches.items()})[
            overlap
        ]

    def of_kind(kind: str, rows: Rows) -> float:
        return float(average_precisions([matches[kind][row] for row in rows])[0])

    statistics: dict[str, Statistic] = {
        "map50": lambda rows: of_all(0, rows),
        "map50_95": lambda rows: of_all(1, rows),
    }
    return statistics | {f"ap50/{kind}": (lambda rows, kind=kind: of_kind(kind, rows)) for kind in matches}


def _counts(
    counted_F: Sequence[Sequence[Lesion]], truth_F: Sequence[Sequence[Lesion]], kinds: tuple[str, ...]
) -> dict[str, Statistic]:
    statistics: dict[str, Statistic] = {}
    true_FK, counted_FK = _by_kind(truth_F, kinds), _by_kind(counted_F, kinds)
    parts = {"": (true_FK.sum(axis=1), counted_FK.sum(axis=1))}
    parts |= {f"/{kind}": (true_FK[:, k], counted_FK[:, k]) for k, kind in enumerate(kinds)}
    for part, (true_F, number_F) in parts.items():
        statistics["count_error" + part] = _mean(np.abs(number_F - true_F))
        statistics["count_bias" + part] = _mean(number_F - true_F)
        statistics["lesions" + part] = _mean(true_F)
    return dict(sorted(statistics.items()))


def _by_kind(lesions_F: Sequence[Sequence[Lesion]], kinds: tuple[str, ...]) -> NDArray[np.float64]:
    return np.array([[sum(each.kind == kind for each in of) for kind in kinds] for of in lesions_F], float)


def _mean(values_F: NDArray[np.float64]) -> Statistic:
    return lambda rows: float(values_F[rows].mean())


def _pictures(
    config: DetectorScoresConfig,
    test: FaceSet,
    counted_F: Sequence[Sequence[Lesion]],
    finder: Detector,
    run: RunDir,
) -> list[dict[str, Any]]:
    """The first faces with lesions of each class, once with true and once with counted boxes."""
    entries = []
    for label in test.labels or (None,):
        rows = [row for row, face in enumerate(test) if face.label == label and face.lesions]
        for row in rows[: config.shown]:
            face, image_HWC = test.faces[row], test.image(test.faces[row])
            entry: dict[str, Any] = {"label": label}
            for name, lesions in (("true", face.lesions), ("found", counted_F[row])):
                entry[name] = f"pictures/{face.id}-{name}.png"
                draw_boxes(run.folder / entry[name], image_HWC, lesions, finder.kinds)
            entries.append(entry)
    return entries
