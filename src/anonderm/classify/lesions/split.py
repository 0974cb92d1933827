"""The faces that a lesion detector is trained on, and those that select its best step."""

from __future__ import annotations

import numpy as np

from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.splits import hold_out_people, train_and_val


def split_boxes(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """Faces to train on and to validate on, never of split test.

    In a set without val rows, a fifth of the people is held out. Raises TooFewImages if either part has no
    lesion.
    """
    rng = np.random.default_rng(seed)
    train, val = train_and_val(faces, lambda known: hold_out_people(known, max(1, known.people // 5), rng))
    for part, purpose in ((train, "train on"), (val, "select the best step with")):
        if not any(face.lesions for face in part):
            raise TooFewImages(
                f"{faces.folder}: no face with lesion boxes is left to {purpose} "
                f"({len(faces)} faces in all; those of the test split are not used).",
                "Give photos of several people with boxes, from `anonderm phantom` or `anonderm ingest`.",
            )
    return train, val
