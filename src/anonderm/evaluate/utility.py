"""evaluate utility: a classifier trained on synthetic faces (TSTR) beside one trained on real ones (TRTR).

Both are tested on real faces of people in neither training set. N faces, K classes.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BadLabel
from anonderm.core.faceset import FaceSet
from anonderm.core.images import write_png
from anonderm.core.launch import device
from anonderm.core.records import SEVERITIES
from anonderm.core.results.classifier import Explanation, UtilityArm, UtilityResult
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import UtilityConfig
from anonderm.evaluate.held_out import labelled_test_faces
from anonderm.evaluate.statistics import (
    Bootstrap,
    chance_warning,
    classification_scores,
    classification_statistics,
    confusion_of,
)
from anonderm.metrics.bootstrap import Rows
from anonderm.models.classifier.grad_cam import heat, overlay
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import load_grader, probabilities

Arm = Literal["trtr", "tstr"]
_TRAINED_ON = {"trtr": "real", "tstr": "synthetic"}
_MIN_OVERLAY_PX = 192


def evaluate_utility(
    config: UtilityConfig,
    real: FaceSet,
    trained_on_real: Checkpoint,
    trained_on_synthetic: Checkpoint,
    run: RunDir,
) -> UtilityResult:
    """Scores of both classifiers on the real test split, with intervals over people, and Grad-CAM pictures.

    Raises InputError without test faces, BadLabel when the classes differ.
    """
    test = labelled_test_faces(real)
    checkpoints: dict[Arm, Checkpoint] = {"trtr": trained_on_real, "tstr": trained_on_synthetic}
    classifiers = {arm: load_grader(checkpoint, device()) for arm, checkpoint in checkpoints.items()}
    _check_classes(test, checkpoints)
    probabilities_NK = {
        arm: probabilities(classifier, test.pixels(classifier.size))
        for arm, classifier in run.progress(list(classifiers.items()), "classifying the test faces")
    }
    truth_N = np.array([test.labels.index(face.label) for face in test if face.label is not None])
    predicted = {
        arm: classifiers[arm].head_type.predict(each_NK) for arm, each_NK in probabilities_NK.items()
    }
    bootstrap = Bootstrap([face.person for face in test], config.seed, config.bootstrap_samples)
    majority_share = float(np.bincount(truth_N).max() / len(truth_N))
    arms = {
        arm: _arm(arm, test, truth_N, predicted[arm], checkpoints[arm], majority_share, bootstrap, run)
        for arm in checkpoints
    }
    for name, arm in arms.items():
        for warning in arm.warnings:
            run.log(f"warning: {name}: {warning}")

    def accuracy_ratio(rows: Rows) -> float:
        correct, reference = ((predicted[arm] == truth_N)[rows].sum() for arm in ("tstr", "trtr"))
        return float(correct / reference) if reference else float("nan")

    return UtilityResult(
        classes=test.labels,
        n_people=test.people,
        majority_share=majority_share,
        trtr=arms["trtr"],
        tstr=arms["tstr"],
        tstr_over_trtr_accuracy=bootstrap.score(accuracy_ratio),
        explanations=tuple(_explanations(config, test, classifiers, probabilities_NK, run)),
    )


def _check_classes(test: FaceSet, checkpoints: dict[Arm, Checkpoint]) -> None:
    for checkpoint in checkpoints.values():
        if checkpoint.card.classes != test.labels:
            raise BadLabel(
                f"{checkpoint.path} has the classes {', '.join(checkpoint.card.classes)}; "
                f"the test faces of {test.folder} have {', '.join(test.labels)}.",
                "Train both classifiers on exactly the classes of the test split.",
            )


def _arm(
    arm: Arm,
    test: FaceSet,
    truth_N: NDArray[np.intp],
    predicted_N: NDArray[np.intp],
    checkpoint: Checkpoint,
    majority_share: float,
    bootstrap: Bootstrap,
    run: RunDir,
) -> UtilityArm:
    ordered = set(test.labels) <= set(SEVERITIES)
    statistics = classification_statistics(truth_N, predicted_N, test.labels, ordered=ordered)
    scores = classification_scores(bootstrap.scores(statistics, run), test.labels)
    warnings = [chance_warning(scores.accuracy, majority_share)]
    trained_on = checkpoint.card.notes.get("trained_on")
    if trained_on != _TRAINED_ON[arm]:
        warnings.insert(0, f"{checkpoint.path.name} was trained on {trained_on} faces.")
    return UtilityArm(
        scores=scores,
        confusion=confusion_of(truth_N, predicted_N, test.labels),
        weights=checkpoint.card.notes.get("weights"),
        warnings=tuple(filter(None, warnings)),
    )


def _explanations(
    config: UtilityConfig,
    test: FaceSet,
    classifiers: dict[Arm, Classifier],
    probabilities_NK: dict[Arm, NDArray[np.float32]],
    run: RunDir,
) -> list[Explanation]:
    """Grad-CAM of the first test faces of each class, the same faces for both classifiers."""
    rows = {face.id: row for row, face in enumerate(test)}
    shown = [face for label in test.labels for face in test.where(label=label).faces[: config.saliency_faces]]
    for face in shown:
        write_png(run.folder / f"saliency/{face.id}.png", test.image(face))
    jobs = [(arm, face) for arm in classifiers for face in shown]
    explanations = []
    for arm, face in run.progress(jobs, "Grad-CAM"):
        probabilities_K = probabilities_NK[arm][rows[face.id]]
        predicted = int(classifiers[arm].head_type.predict(probabilities_K[None])[0])
        image_HWC = test.image(face)
        heat_HW = heat(classifiers[arm], image_HWC, predicted)
        file = f"saliency/{arm}-{face.id}.png"
        write_png(run.folder / file, overlay(image_HWC, heat_HW, max(_MIN_OVERLAY_PX, len(heat_HW))))
        explanations.append(
            Explanation(
                arm=arm,
                label=str(face.label),
                predicted=test.labels[predicted],
                probability=float(probabilities_K[predicted]),
                image=f"saliency/{face.id}.png",
                overlay=file,
            )
        )
    return explanations
