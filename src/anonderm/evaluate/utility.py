"""Is the synthetic set useful? A classifier trained on it (TSTR) beside one trained on real faces (TRTR).

Both are tested on real faces of people that neither has seen. N faces, K classes.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BadLabel
from anonderm.core.faceset import FaceSet
from anonderm.core.images import write_png
from anonderm.core.launch import device
from anonderm.core.records import SEVERITIES, Face, Scores
from anonderm.core.results.base import Score
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import UtilityConfig
from anonderm.evaluate.held_out import labelled_test_faces
from anonderm.evaluate.statistics import grading_statistics, unproven, with_intervals
from anonderm.metrics import confusion
from anonderm.metrics.bootstrap import Rows, Statistic
from anonderm.models.classifier.grad_cam import grad_cam
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import load_grader, probabilities

_TRAINED_ON = {"trtr": "real", "tstr": "synthetic"}


def evaluate_utility(
    config: UtilityConfig,
    real: FaceSet,
    trained_on_real: Checkpoint,
    trained_on_synthetic: Checkpoint,
    run: RunDir,
) -> Scores:
    """Scores of both classifiers on the real test split, with intervals over people, and Grad-CAM pictures.

    Keys: trtr/... and tstr/... with accuracy, macro_precision, macro_recall, macro_f1, f1/<class>, and for
    severities macro_mae and quadratic_kappa; tstr_over_trtr/accuracy is the ratio of the two, over the same
    people. Raises InputError without test faces, BadLabel when the classes differ.
    """
    test = labelled_test_faces(real)
    checkpoints = {"trtr": trained_on_real, "tstr": trained_on_synthetic}
    classifiers = {arm: load_grader(checkpoint, device()) for arm, checkpoint in checkpoints.items()}
    _check_classes(test, checkpoints)
    chances = {
        arm: probabilities(classifier, test.pixels(classifier.size))
        for arm, classifier in run.progress(list(classifiers.items()), "classifying the test faces")
    }
    truth_N = np.array([test.labels.index(face.label) for face in test if face.label is not None])
    predicted = {arm: classifiers[arm].head_type.predict(chance_NK) for arm, chance_NK in chances.items()}
    scores = _scores(config, test, truth_N, predicted, run)
    majority = float(np.bincount(truth_N).max() / len(truth_N))
    warnings = _warnings(scores, majority, checkpoints)
    for warning in warnings:
        run.log(f"Caution: {warning}")
    details = {
        "classes": list(test.labels),
        "confusion": {
            arm: confusion.confusion_matrix(truth_N, predicted_N, len(test.labels)).tolist()
            for arm, predicted_N in predicted.items()
        },
        "weights": {arm: checkpoint.card.notes.get("weights") for arm, checkpoint in checkpoints.items()},
        "n_people": test.people,
        "chance": majority,
        "warnings": warnings,
        "saliency": _saliency(config, test, classifiers, chances, run),
    }
    return Scores(scores, details)


def _check_classes(test: FaceSet, checkpoints: dict[str, Checkpoint]) -> None:
    for checkpoint in checkpoints.values():
        if checkpoint.card.classes != test.labels:
            raise BadLabel(
                f"{checkpoint.path} knows the classes {', '.join(checkpoint.card.classes)}; "
                f"the test faces of {test.folder} are {', '.join(test.labels)}.",
                "Both classifiers must be trained on exactly the classes of the test split.",
            )


def _scores(
    config: UtilityConfig,
    test: FaceSet,
    truth_N: NDArray[np.intp],
    predicted: dict[str, NDArray[np.intp]],
    run: RunDir,
) -> dict[str, Score]:
    ordered = set(test.labels) <= set(SEVERITIES)
    statistics: dict[str, Statistic] = {
        f"{arm}/{name}": statistic
        for arm, decided_N in predicted.items()
        for name, statistic in grading_statistics(truth_N, decided_N, test.labels, ordered=ordered).items()
    }
    statistics["tstr_over_trtr/accuracy"] = partial(
        _accuracy_ratio, predicted["tstr"] == truth_N, predicted["trtr"] == truth_N
    )
    return with_intervals(
        statistics, [face.person for face in test], config.seed, config.bootstrap_samples, run
    )


def _accuracy_ratio(right_above_N: NDArray[np.bool_], right_below_N: NDArray[np.bool_], rows: Rows) -> float:
    below = right_below_N[rows].sum()
    return float(right_above_N[rows].sum() / below) if below else float("nan")


def _warnings(scores: dict[str, Score], majority: float, checkpoints: dict[str, Checkpoint]) -> list[str]:
    """What a reader must know before believing the numbers."""
    warnings = []
    for arm, checkpoint in checkpoints.items():
        origin = checkpoint.card.notes.get("trained_on")
        if origin != _TRAINED_ON[arm]:
            warnings.append(f"{arm}: {checkpoint.path.name} was trained on {origin} faces.")
        warnings += unproven(scores, [arm], majority)
    return warnings


def _saliency(
    config: UtilityConfig,
    test: FaceSet,
    classifiers: dict[str, Classifier],
    chances: dict[str, NDArray[np.float32]],
    run: RunDir,
) -> list[dict[str, Any]]:
    """Grad-CAM pictures of the first test faces of each class, the same faces for both classifiers."""
    rows = {face.id: row for row, face in enumerate(test)}
    shown = [face for label in test.labels for face in test.where(label=label).faces[: config.saliency_faces]]
    for face in shown:
        write_png(run.folder / _picture(face), test.image(face))
    jobs = [(arm, face) for arm in classifiers for face in shown]
    entries = []
    for arm, face in run.progress(jobs, "Grad-CAM"):
        chance_K = chances[arm][rows[face.id]]
        guess = int(classifiers[arm].head_type.predict(chance_K[None])[0])
        _, overlay_HWC = grad_cam(classifiers[arm], test.image(face), guess)
        overlay = f"saliency/{arm}-{face.id}.png"
        write_png(run.folder / overlay, overlay_HWC)
        entries.append(
            {
                "arm": arm,
                "label": face.label,
                "predicted": test.labels[guess],
                "probability": float(chance_K[guess]),
                "image": _picture(face),
                "overlay": overlay,
            }
        )
    return entries


def _picture(face: Face) -> str:
    return f"saliency/{face.id}.png"
