"""The faces of the data-mix study, real and synthetic: training, validation and test faces.

No person, and no two synthetic faces that are related, are in two of the three.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from anonderm.classify.split import split_by_class
from anonderm.core.errors import BadLabel, InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.core.splits import hold_out
from anonderm.evaluate.held_out import labelled_test_faces


@dataclass(frozen=True)
class Pool:
    """Training faces, validation faces to choose the best epoch, and test faces."""

    train: FaceSet
    val: FaceSet
    test: FaceSet


def real_pool(real: FaceSet, seed: int) -> Pool:
    """By the set's splits.

    Raises InputError without a test split or with people in two splits, BadLabel, TooFewImages.
    """
    test = labelled_test_faces(real)
    train, val = split_by_class(real, seed)
    tested = {face.person for face in test}
    both = [face.person for face in (*train, *val) if face.person in tested]
    if both:
        raise InputError(
            f"{real.folder}: {len(set(both))} people are in training and in the test, such as {both[0]}.",
            "Ingest the photos again, with a subject for each photo, so that the split is by person.",
        )
    unknown = sorted(set(test.labels) - set(train.labels))
    if unknown:
        raise BadLabel(f"{real.folder}: no training face has the label {unknown[0]} of the test split.")
    return Pool(train, val, test)


def synthetic_pool(synthetic: FaceSet, classes: tuple[str, ...], seed: int) -> Pool:
    """By the set's splits if it has a test split; otherwise a fifth is held out for testing.

    Faces that share a parent or a latent stay together. Raises BadLabel if the classes are not those of the
    real faces, TooFewImages.
    """
    if synthetic.labels != classes:
        raise BadLabel(
            f"{synthetic.folder}: its classes are {', '.join(synthetic.labels) or 'none'}; "
            f"the real training faces are {', '.join(classes)}.",
            "Give synthetic faces of exactly the classes of the real ones.",
        )
    test, rest = synthetic.where(split="test"), synthetic.where(split=("train", "val", None))
    if len(test) == 0:
        rest, test = hold_out(rest, [str(face.label) for face in rest], seed)
    train, val = split_by_class(rest, seed)
    return Pool(train, val, test)


def joined(train: Iterable[FaceSet], val: FaceSet) -> FaceSet:
    """One set to train on, with explicit splits, of faces that stay in the folders where they are.

    Files are relative to the folder that all sets share; ids are prefixed where there are several sets.
    """
    parts = [(part, "train") for part in train] + [(val, "val")]
    folders = [part.folder.resolve() for part, _ in parts]
    root = Path(os.path.commonpath(folders))
    several = len(set(folders)) > 1
    faces = []
    for (part, split), folder in zip(parts, folders, strict=True):
        below = folder.relative_to(root)
        prefix = f"{folders.index(folder)}-" if several else ""
        faces += [_moved(face, below, prefix, split) for face in part]
    return FaceSet(root, tuple(faces))


def _moved(face: Face, below: Path, prefix: str, split: str) -> Face:
    return dataclasses.replace(
        face,
        id=prefix + face.id,
        file=str(below / face.file),
        mask=str(below / face.mask) if face.mask else None,
        split=split,
    )
