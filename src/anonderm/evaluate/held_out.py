"""The test faces of a classifier, and its predictions on them.

N faces, K classes or lesion types.
"""

import numpy as np
from numpy.typing import NDArray

from anonderm.core import progress
from anonderm.core.errors import BadLabel, InputError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.models.classifier.network import Classifier
from anonderm.models.classifier.predict import probabilities

BATCH = 256
"""The largest number of faces in memory at once."""


def held_out_faces(faces: FaceSet) -> FaceSet:
    """The test split, or all faces of a set without splits. Raises InputError if it is empty."""
    return faces if faces and not any(face.split for face in faces) else test_faces(faces)


def labelled_test_faces(faces: FaceSet) -> FaceSet:
    """The test split. Raises InputError if it is empty, BadLabel if a face has no label."""
    test = test_faces(faces)
    unlabelled = [face.id for face in test if face.label is None]
    if unlabelled:
        raise BadLabel(
            f"{faces.folder}: test face {unlabelled[0]} has no label.",
            "Label the photos, or leave out those without a label, and ingest them again.",
        )
    return test


def faces_to_compare(real: FaceSet, synthetic: FaceSet) -> dict[str, FaceSet]:
    """The real test and training faces and the synthetic ones: test, train, synthetic.

    Raises InputError without test faces, TooFewImages without synthetic ones.
    """
    test = test_faces(real)
    if not synthetic.faces:
        raise TooFewImages(
            f"{synthetic.folder}: the synthetic set is empty.",
            "Generate faces, or relax the limits of screen and grade.",
        )
    return {"test": test, "train": real.where(split="train"), "synthetic": synthetic}


def test_faces(faces: FaceSet) -> FaceSet:
    test = faces.where(split="test")
    if not test.faces:
        raise InputError(
            f"{faces.folder}: no face is in the test split.",
            "Ingest the photos with a test_share above 0 (some stages also take a set without splits).",
        )
    return test


def check_labels(faces: FaceSet, network: Classifier) -> None:
    """Raise BadLabel for a face whose label is not a class of the classifier."""
    unknown = [face for face in faces if face.label not in network.classes]
    if unknown:
        label = unknown[0].label or "none"
        raise BadLabel(
            f"{faces.folder}: the label of face {unknown[0].id} is {label}; "
            f"the classes of the classifier are {', '.join(network.classes)}.",
            "Give faces of the classes that it was trained on.",
        )


def predict_all(network: Classifier, faces: FaceSet) -> NDArray[np.float32]:
    """The probability of each class, [N, K], in batches and with a progress bar."""
    parts = []
    with progress.bar("classifying", len(faces)) as bar:
        for batch in faces.batches(BATCH):
            parts.append(probabilities(network, batch.pixels(network.size)))
            bar.advance(len(batch))
    return np.concatenate(parts)
