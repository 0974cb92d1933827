"""Which faces a detector learns from, and which choose its best step."""

from __future__ import annotations

import numpy as np

from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet


def learning_split(faces: FaceSet, seed: int) -> tuple[FaceSet, FaceSet]:
    """Faces to learn from and faces to choose the step by; never one of split test.

    A set without val rows gives a fifth of its people. Raises TooFewImages where either part shows no lesion.
    """
    learn, choose = faces.where(split=("train", None)), faces.where(split="val")
    if len(choose) == 0:
        choose, learn = learn.parted(max(1, learn.people // 5), np.random.default_rng(seed))
    for part, purpose in ((learn, "learn from"), (choose, "choose the best step by")):
        if not any(face.lesions for face in part):
            raise TooFewImages(
                f"{faces.folder}: no face with lesion boxes is left to {purpose} "
                f"({len(faces)} faces in all, those of split test never count).",
                "Give photos of several people with boxes, as the phantom draws and ingest imports.",
            )
    return learn, choose
