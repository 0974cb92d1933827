"""The kinds of lesion that a set of faces or a detector knows."""

from __future__ import annotations

import dataclasses
from collections import Counter

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


def kinds_of(faces: FaceSet) -> tuple[str, ...]:
    """The kinds of lesion that have boxes, in the usual order."""
    return order_kinds(lesion.kind for face in faces for lesion in face.lesions)


def lesion_counts(faces: FaceSet) -> dict[str, int]:
    counts = Counter(lesion.kind for face in faces for lesion in face.lesions)
    return {kind: counts[kind] for kind in kinds_of(faces)}
