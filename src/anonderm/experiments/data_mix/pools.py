"""The faces of the data-mix study, real and synthetic: to learn from, to choose the epoch by, to test.

Nobody, and no synthetic face's relative, is in two of the three.
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
    """Faces to learn from, to choose the best epoch by, and to test."""

    learn: FaceSet
    choose: FaceSet
    test: FaceSet


def real_pool(real: FaceSet, seed: int) -> Pool:
    """By the set's splits.

    Raises InputError without a test split or with people in two splits, BadLabel, TooFewImages.
    """
    test = labelled_test_faces(real)
    learn, choose = split_by_class(real, seed)
    tested = {face.person for face in test}
    both = [face.person for face in (*learn, *choose) if face.person in tested]
    if both:
        raise InputError(
            f"{real.folder}: {len(set(both))} people are in training and in the test, such as {both[0]}.",
            "Ingest the photos again, with the people named, so that the split is by person.",
        )
    foreign = sorted(set(test.labels) - set(learn.labels))
    if foreign:
        raise BadLabel(f"{real.folder}: no training face has the label {foreign[0]} of the test split.")
    return Pool(learn, choose, test)


def synthetic_pool(synthetic: FaceSet, classes: tuple[str, ...], seed: int) -> Pool:
    """By the set's splits where it has a test split, else a fifth is held back for testing.

    Faces with a parent or a latent in common stay together. Raises BadLabel where the classes are not those
    of the real faces, TooFewImages.
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
    learn, choose = split_by_class(rest, seed)
    return Pool(learn, choose, test)


def joined(learn: Iterable[FaceSet], choose: FaceSet) -> FaceSet:
    """One set to train on, its splits written out, of faces that stay in the folders where they are.

    The images are found from the folder that all sets share; ids tell the sets apart.
    """
    parts = [(part, "train") for part in learn] + [(choose, "val")]
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
