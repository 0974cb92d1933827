"""How well a classifier does on faces that it did not learn from: grades, counts, or lesion types.

N faces, K classes or lesion types.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device
from anonderm.core.records import Scores
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import ClassifierScoresConfig
from anonderm.evaluate.held_out import BATCH, all_probabilities, check_labels, unseen_faces
from anonderm.evaluate.statistics import grading_statistics, typing_statistics, with_intervals
from anonderm.metrics import confusion
from anonderm.metrics.bootstrap import Rows, Statistic
from anonderm.models.classifier.label_distribution import LabelDistribution
from anonderm.models.classifier.label_encoding import encode_targets, is_ordered, require_lesions
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import lesion_counts, load_classifier


def evaluate_classifier(
    config: ClassifierScoresConfig, faces: FaceSet, classifier: Checkpoint, run: RunDir
) -> Scores:
    """Scores on the test split (on all faces of a set without splits), with intervals over people.

    Keys of grades: accuracy, macro_precision, macro_recall, macro_f1, f1/<class>, with an order macro_mae and
    quadratic_kappa, and for a head that counts lesions count_mae where boxes are known. Keys of lesion
    types: auc, f1 and accuracy as <measure>/<type> and macro_<measure>.
    Raises InputError without such faces, BadLabel for labels that the classifier does not know.
    """
    network = load_classifier(classifier, device())
    tested = unseen_faces(faces)
    typed = network.head_type.name == "multi-label"
    if typed:
        require_lesions(tested, boxes=False)
    else:
        check_labels(tested, network)
    chances_NK = all_probabilities(network, tested, run)
    decided = network.head_type.predict(chances_NK)
    truth = encode_targets(tested, network.classes, network.head_type).labels.numpy().astype(np.intp)
    ordered = is_ordered(network.head_type, network.classes)
    details: dict[str, Any] = {
        "classes": list(network.classes),
        "head": network.head_type.name,
        "backbone": classifier.card.architecture["backbone"],
        "weights": classifier.card.notes.get("weights"),
        "trained_on": classifier.card.notes.get("trained_on"),
        "n_people": tested.people,
    }
    if typed:
        statistics = typing_statistics(truth, chances_NK, decided, network.classes)
    else:
        statistics = grading_statistics(truth, decided, network.classes, ordered=ordered)
        matrix_KK = confusion.confusion_matrix(truth, decided, len(network.classes))
        details |= {"confusion": matrix_KK.tolist(), "chance": float(matrix_KK.sum(1).max() / len(tested))}
        statistics |= _counting(network, tested)
    people = [face.person for face in tested]
    return Scores(with_intervals(statistics, people, config.seed, config.bootstrap_samples, run), details)


def _counting(network: Classifier, faces: FaceSet) -> dict[str, Statistic]:
    """Mean distance of the number of lesions, where the head counts them and boxes are known."""
    if not isinstance(network.head_type, LabelDistribution) or not any(face.lesions for face in faces):
        return {}
    found_N = np.concatenate(
        [lesion_counts(network, batch.pixels(network.size)) for batch in faces.batches(BATCH)]
    )
    off_N = np.abs(found_N - np.array([len(face.lesions) for face in faces]))

    def count_mae(rows: Rows) -> float:
        return float(off_N[rows].mean())

    return {"count_mae": count_mae}
