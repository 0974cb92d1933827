"""evaluate classifier: scores of a classifier on held-out faces: grades, counts, or lesion types.

N faces, K classes or lesion types.
"""

import numpy as np

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet
from anonderm.core.launch import device
from anonderm.core.results.base import Score
from anonderm.core.results.classifier import ClassifierResult
from anonderm.core.rundir import RunDir
from anonderm.evaluate.config import ClassifierScoresConfig
from anonderm.evaluate.held_out import BATCH, check_labels, held_out_faces, predict_all
from anonderm.evaluate.statistics import (
    Bootstrap,
    classification_scores,
    classification_statistics,
    confusion_of,
    multi_label_scores,
)
from anonderm.metrics.bootstrap import Rows
from anonderm.models.classifier.heads import LabelDistribution
from anonderm.models.classifier.label_encoding import (
    encode_labels,
    encode_targets,
    is_ordered,
    require_lesions,
)
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import lesion_counts, load_classifier


def evaluate_classifier(
    config: ClassifierScoresConfig, faces: FaceSet, classifier: Checkpoint, run: RunDir
) -> ClassifierResult:
    """Scores on the test split (on all faces of a set without splits), with intervals over people.

    Raises InputError without such faces, BadLabel for labels that are not classes of the classifier.
    """
    network = load_classifier(classifier, device())
    test = held_out_faces(faces)
    multi_label = network.head_type.name == "multi-label"
    if multi_label:
        held_out, test = test, require_lesions(test, boxes=False)
        if len(test) < len(held_out):
            run.log(f"{len(held_out) - len(test)} test faces whose lesions are unknown are left out")
    else:
        check_labels(test, network)
    probabilities_NK = predict_all(network, test)
    predicted = network.head_type.predict(probabilities_NK)
    targets = (
        encode_targets(test, network.classes, network.head_type).labels
        if multi_label
        else encode_labels(test, network.classes)
    )
    truth = targets.numpy().astype(np.intp)
    bootstrap = Bootstrap([face.person for face in test], config.seed, config.bootstrap_samples)
    classification, lesion_types, counting = None, None, None
    if multi_label:
        lesion_types = multi_label_scores(truth, probabilities_NK, predicted, network.classes, bootstrap, run)
    else:
        ordered = is_ordered(network.head_type, network.classes)
        statistics = classification_statistics(truth, predicted, network.classes, ordered=ordered)
        classification = classification_scores(bootstrap.scores(statistics, run), network.classes)
        counting = _count_error(config, network, test, run)
    return ClassifierResult(
        classes=network.classes,
        head=network.head_type.name,
        backbone=classifier.card.architecture["backbone"],
        weights=classifier.card.notes.get("weights"),
        trained_on=classifier.card.notes.get("trained_on"),
        n_people=test.people,
        classification=classification,
        multi_label=lesion_types,
        count_mae=counting,
        confusion=None if multi_label else confusion_of(truth, predicted, network.classes),
        majority_share=None if multi_label else float(np.bincount(truth).max() / len(truth)),
    )


def _count_error(
    config: ClassifierScoresConfig, network: Classifier, test: FaceSet, run: RunDir
) -> Score | None:
    """Mean absolute error of the number of lesions on the faces whose boxes are known, if the head counts."""
    faces = FaceSet(test.folder, tuple(face for face in test if face.lesions is not None))
    if not isinstance(network.head_type, LabelDistribution) or len(faces) == 0:
        return None
    if len(faces) < len(test):
        run.log(f"lesions are counted without {len(test) - len(faces)} test faces whose boxes are unknown")
    counted_N = np.concatenate(
        [lesion_counts(network, batch.pixels(network.size)) for batch in faces.batches(BATCH)]
    )
    errors_N = np.abs(counted_N - np.array([len(face.boxes) for face in faces]))

    def mean_error(rows: Rows) -> float:
        return float(errors_N[rows].mean())

    bootstrap = Bootstrap([face.person for face in faces], config.seed, config.bootstrap_samples)
    return bootstrap.score(mean_error, better=False)
