"""Which faces a detector learns from, and which choose its best step."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face, order_kinds

ONE_KIND = "lesion"


def with_known_boxes(faces: FaceSet, one_kind: bool) -> FaceSet:
    """The faces whose boxes are known; `one_kind` calls every lesion the same.

    A face without boxes counts as free of lesions, unless its lesion types say that it has some.
    """
    known = (face for face in faces if face.lesions or not face.lesion_types)
    return FaceSet(faces.folder, tuple(_called_alike(face) if one_kind else face for face in known))


def _called_alike(face: Face) -> Face:
    return dataclasses.replace(
        face, lesions=tuple(dataclasses.replace(each, kind=ONE_KIND) for each in face.lesions)
    )


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


def kinds_of(faces: FaceSet) -> tuple[str, ...]:
    """The kinds of lesion that have boxes, in the usual order."""
    return order_kinds(lesion.kind for face in faces for lesion in face.lesions)


def lesion_counts(faces: FaceSet) -> dict[str, int]:
    counts = Counter(lesion.kind for face in faces for lesion in face.lesions)
    return {kind: counts[kind] for kind in kinds_of(faces)}
