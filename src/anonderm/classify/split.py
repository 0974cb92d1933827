"""Which faces a classifier learns from, and which choose its best epoch."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import BadLabel, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.models.classifier.targets import lesion_types, types_on


def learning_split(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """Labelled faces to learn from, and faces to choose the epoch by; never one of split test.

    A set without val rows (a synthetic one) gives a fifth of its faces, of every class as evenly as people
    and parents allow, nobody in both parts. Raises BadLabel or TooFewImages.
    """
    known = faces.where(split=("train", "val", None))
    _check_labels(known)
    learn, choose = _parts(known, [str(face.label) for face in known], seed)
    missing = [label for label in known.labels if len(learn.where(label=label)) == 0]
    _need(known, choose, missing, "class")
    return learn, choose


def learning_split_by_types(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """The same for lesion types: every combination of them is dealt as evenly, and labels are not needed."""
    known = faces.where(split=("train", "val", None))
    learn, choose = _parts(known, ["+".join(sorted(types_on(face))) for face in known], seed)
    missing = sorted(set(lesion_types(known)) - set(lesion_types(learn)))
    _need(known, choose, missing, "lesion type")
    return learn, choose


def _parts(known: FaceSet, strata: list[str], seed: int) -> tuple[FaceSet, FaceSet]:
    learn, choose = known.where(split=("train", None)), known.where(split="val")
    return (learn, choose) if len(choose) else held_out(known, strata, seed)


def _need(known: FaceSet, choose: FaceSet, missing: list[str], kind: str) -> None:
    if missing or len(choose) == 0:
        purpose = f"to learn {', '.join(missing)} from" if missing else "to choose the best epoch by"
        raise TooFewImages(
            f"{known.folder}: no face is left {purpose} ({len(known)} outside the test split).",
            f"Give at least two people (or synthetic faces) of every {kind}.",
        )


def _check_labels(faces: FaceSet) -> None:
    unlabelled = [face.id for face in faces if face.label is None]
    if unlabelled:
        raise BadLabel(
            f"{faces.folder}: {len(unlabelled)} faces have no label, {unlabelled[0]} among them.",
            "Grade the faces first, or ingest photos from one folder a class.",
        )
    if len(faces.labels) < 2:
        found = f"only the class {faces.labels[0]}" if faces.labels else "no training face"
        raise BadLabel(
            f"{faces.folder}: {found} outside the test split; a classifier needs two classes.",
            "Give photos of at least two classes, such as healthy and mild.",
        )


def held_out(faces: FaceSet, strata: Sequence[str], seed: int) -> tuple[FaceSet, FaceSet]:
    """Most of the faces, and about a fifth that shares no person, parent or latent with them.

    strata: one a face, each dealt as evenly as that allows. The second part is empty where all are related.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups_N = families(faces)
    folds = min(5, len(set(groups_N)), max(Counter(strata).values(), default=0))
    if folds < 2:
        return faces, FaceSet(faces.folder, ())
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about classes smaller than the number of folds
        _, held = next(splitter.split(np.zeros(len(faces)), strata, groups_N))
    held_ids = {faces.faces[index].id for index in held}
    learn_ids = {face.id for face in faces} - held_ids
    return faces.where(ids=learn_ids), faces.where(ids=held_ids)


def families(faces: FaceSet) -> NDArray[np.intp]:
    """One number a face, the same for all that share a person, parent or latent, also through others."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ties = [(row, tie) for row, face in enumerate(faces) for tie in _ties(face)]
    names = {tie: len(faces) + number for number, tie in enumerate(dict.fromkeys(tie for _, tie in ties))}
    size = len(faces) + len(names)
    rows, columns = [row for row, _ in ties], [names[tie] for _, tie in ties]
    graph = coo_array((np.ones(len(ties)), (rows, columns)), shape=(size, size))
    return connected_components(graph, directed=False)[1][: len(faces)]


def _ties(face: Face) -> list[tuple[str, ...]]:
    """What a face may have in common with others. A seed means the same latent only to one generator, which
    may have drawn a face of every class from it."""
    people = [("subject", face.subject)] if face.subject else []
    latents = (
        [("latent", face.checkpoint, str(face.seed))] if face.checkpoint and face.seed is not None else []
    )
    return [*people, *latents, *(("parent", parent) for parent in face.parents)]
