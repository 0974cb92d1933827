"""The faces that a classifier is trained on, and those that select its best epoch."""

from __future__ import annotations

from anonderm.core.errors import BadLabel, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.splits import hold_out, train_and_val
from anonderm.models.classifier.label_encoding import lesion_types, types_on


def split_by_class(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """Labelled faces to train on and to validate on, never of split test.

    In a set without val rows (a synthetic one), a fifth of the faces is held out, stratified by class. Raises
    BadLabel or TooFewImages.
    """
    _check_labels(faces.where(split=("train", "val", None)))
    train, val = train_and_val(
        faces, lambda known: hold_out(known, [str(face.label) for face in known], seed)
    )
    missing = [label for label in val.labels if label not in train.labels]
    _check_size(faces, val, missing, "class")
    return train, val


def split_by_types(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """The same for lesion types: stratified by their combination, and without labels."""
    train, val = train_and_val(
        faces, lambda known: hold_out(known, ["+".join(sorted(types_on(face))) for face in known], seed)
    )
    missing = sorted(set(lesion_types(val)) - set(lesion_types(train)))
    _check_size(faces, val, missing, "lesion type")
    return train, val


def _check_size(faces: FaceSet, val: FaceSet, missing: list[str], kind: str) -> None:
    if missing or len(val) == 0:
        purpose = f"to learn {', '.join(missing)} from" if missing else "to select the best epoch with"
        usable = len(faces.where(split=("train", "val", None)))
        raise TooFewImages(
            f"{faces.folder}: no face is left {purpose} ({usable} outside the test split).",
            f"Give at least two people (or synthetic faces) of every {kind}.",
        )


def _check_labels(faces: FaceSet) -> None:
    unlabelled = [face.id for face in faces if face.label is None]
    if unlabelled:
        raise BadLabel(
            f"{faces.folder}: {len(unlabelled)} faces have no label, such as {unlabelled[0]}.",
            "Grade the faces first, or ingest photos sorted into one folder for each class.",
        )
    if len(faces.labels) < 2:
        found = f"only the class {faces.labels[0]}" if faces.labels else "no face"
        raise BadLabel(
            f"{faces.folder}: {found} outside the test split; a classifier needs two classes.",
            "Give photos of at least two classes, such as healthy and mild.",
        )
