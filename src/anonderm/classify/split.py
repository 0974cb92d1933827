"""The faces that a classifier is trained on, and those that select its best epoch."""

from collections.abc import Callable

from anonderm.core.errors import BadLabel, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.core.splits import hold_out, train_and_val
from anonderm.models.classifier.label_encoding import types_on


def split_by_class(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """Labelled faces to train on and to validate on, never of split test.

    In a set without val rows (a synthetic one), a fifth of the faces is held out, stratified by class. Raises
    BadLabel or TooFewImages.
    """
    _check_labels(faces.where(split=("train", "val", None)))
    return _split(faces, seed, lambda face: [str(face.label)], "class")


def split_by_types(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """The same for lesion types: stratified by their combination, and without labels."""
    return _split(faces, seed, lambda face: sorted(types_on(face)), "lesion type")


def _split(
    faces: FaceSet, seed: int, classes_of: Callable[[Face], list[str]], kind: str
) -> tuple[FaceSet, FaceSet]:
    train, val = train_and_val(
        faces, lambda known: hold_out(known, ["+".join(classes_of(face)) for face in known], seed)
    )
    known, needed = ({name for face in part for name in classes_of(face)} for part in (train, val))
    missing = sorted(needed - known)
    if missing or len(val) == 0:
        purpose = f"to learn {', '.join(missing)} from" if missing else "to select the best epoch with"
        usable = len(faces.where(split=("train", "val", None)))
        raise TooFewImages(
            f"{faces.folder}: no face is left {purpose} ({usable} outside the test split).",
            f"Give at least two people (or synthetic faces) of every {kind}.",
        )
    return train, val


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
