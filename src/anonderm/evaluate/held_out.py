"""The faces a classifier is tested on, and what it says of them.

N faces, K classes or lesion types.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import BadLabel, InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import probabilities

BATCH = 256
"""Most faces that are in memory at once."""


def unseen_faces(faces: FaceSet) -> FaceSet:
    """The test split, or all faces of a set without splits. Raises InputError where that is none."""
    tested = faces.where(split="test") if any(face.split for face in faces) else faces
    if len(tested) == 0:
        raise InputError(
            f"{faces.folder}: no face belongs to the test split.",
            "Ingest the photos with a test_share above 0, or give a set without splits.",
        )
    return tested


def labelled_test_faces(faces: FaceSet) -> FaceSet:
    """The test split. Raises InputError where it is empty, BadLabel where a face has no label."""
    test = faces.where(split="test")
    if len(test) == 0:
        raise InputError(
            f"{faces.folder}: no face belongs to the test split.",
            "Ingest the photos with a test_share above 0, and train on the FaceSet that comes of it.",
        )
    unlabelled = [face.id for face in test if face.label is None]
    if unlabelled:
        raise BadLabel(f"{faces.folder}: test face {unlabelled[0]} has no label.")
    return test


def check_labels(faces: FaceSet, network: Classifier) -> None:
    """Raise BadLabel for a face whose label the classifier does not know."""
    foreign = [face for face in faces if face.label not in network.classes]
    if foreign:
        label = foreign[0].label or "none"
        raise BadLabel(
            f"{faces.folder}: the label of face {foreign[0].id} is {label}; "
            f"the classifier knows {', '.join(network.classes)}.",
            "Give faces of the classes that it was trained on.",
        )


def all_probabilities(network: Classifier, faces: FaceSet, run: RunDir) -> NDArray[np.float32]:
    """Probability of each class, [N, K], with a progress bar, never more than a few images in memory."""
    parts = []
    with run.bar("classifying", len(faces)) as bar:
        for batch in faces.batches(BATCH):
            parts.append(probabilities(network, batch.pixels(network.size)))
            bar.advance(len(batch))
    return np.concatenate(parts)
