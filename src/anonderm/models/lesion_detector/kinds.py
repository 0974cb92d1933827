"""The kinds of lesion in a set of faces."""

import dataclasses
from collections import Counter

from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face, order_kinds

ANY_KIND = "lesion"
"""The only kind that a class-agnostic detector knows."""


def with_known_boxes(faces: FaceSet, class_agnostic: bool) -> FaceSet:
    """The faces whose boxes are known, or known to be none; `class_agnostic` makes every lesion ANY_KIND."""
    known = (face for face in faces if face.lesions is not None)
    return FaceSet(faces.folder, tuple(_without_kinds(face) if class_agnostic else face for face in known))


def _without_kinds(face: Face) -> Face:
    lesions = tuple(dataclasses.replace(each, kind=ANY_KIND) for each in face.boxes)
    return dataclasses.replace(face, lesions=lesions)


def kinds_of(faces: FaceSet) -> tuple[str, ...]:
    """The kinds of lesion that have boxes, in the usual order."""
    return order_kinds(lesion.kind for face in faces for lesion in face.boxes)


def lesion_counts(faces: FaceSet) -> dict[str, int]:
    counts = Counter(lesion.kind for face in faces for lesion in face.boxes)
    return {kind: counts[kind] for kind in kinds_of(faces)}
