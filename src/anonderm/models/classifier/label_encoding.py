"""From the labels and lesions of faces to classes, a head and training targets.

Lesions come from boxes or, for lesion types alone, from a source that only names the types. A face labelled
healthy has none; another face about whose lesions nothing is known takes no part where they are learned.
"""

from collections.abc import Iterable

import torch

from anonderm.core.errors import BadLabel, ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.records import SEVERITIES, Face, order_kinds
from anonderm.models.classifier.heads import Corn, Head, LabelDistribution, MultiLabel, Softmax, Targets
from anonderm.models.classifier.settings import HeadName

HEALTHY = SEVERITIES[0]
HAYASHI = {"healthy": 0, "mild": 5, "moderate": 20, "severe": 50}
"""Highest lesion count of each severity on half a face. Source: Hayashi et al. 2008, as cited for ACNE04."""
_MIN_HIGHEST_COUNT = 65  # the highest count on ACNE04


def types_on(face: Face) -> set[str]:
    """The lesion types known to be on this face."""
    return {lesion.kind for lesion in face.boxes} | set(face.lesion_types or ())


def with_known_lesions(faces: FaceSet, *, boxes: bool) -> FaceSet:
    """The faces whose lesion types (or, with `boxes`, the number of whose lesions) are known."""

    def known(face: Face) -> bool:
        types = face.lesion_types is not None and not boxes
        return face.lesions is not None or types or face.label == HEALTHY

    return FaceSet(faces.folder, tuple(filter(known, faces)))


def lesion_types(faces: Iterable[Face]) -> tuple[str, ...]:
    """Every type on these faces, in the usual order."""
    return order_kinds(kind for face in faces for kind in types_on(face))


def classes_and_head(
    name: HeadName, count_bounds: tuple[int, ...], train: FaceSet
) -> tuple[tuple[str, ...], Head]:
    """The classes (or lesion types) of the training faces, and the head of this name for them.

    Raises BadLabel where the faces lack what the head learns, ConfigError for bounds that do not fit.
    """
    classes = train.labels
    match name:
        case "multi-label":
            types = lesion_types(train)
            return types, MultiLabel(len(types))
        case "corn":
            return classes, Corn(len(classes))
        case "label-distribution":
            bounds = count_bounds or _hayashi_bounds(classes)
            if len(bounds) != len(classes) - 1:
                raise ConfigError(
                    f"count_bounds = {bounds}: {len(bounds)} bounds for {len(classes)} classes "
                    f"({', '.join(classes)}), which need {len(classes) - 1}.",
                    "Give the highest count of each class but the last, mildest first.",
                )
            highest = max(len(face.boxes) for face in train)
            return classes, LabelDistribution(bounds, max(_MIN_HIGHEST_COUNT, highest, bounds[-1] + 1))
    return classes, Softmax(len(classes))


def is_ordered(head: Head, classes: tuple[str, ...]) -> bool:
    """Whether the classes are grades, so that an error of two grades is worse than an error of one."""
    graded = head.name in ("corn", "label-distribution")
    return graded or (head.name == "softmax" and set(classes) <= set(SEVERITIES))


def encode_labels(faces: FaceSet, classes: tuple[str, ...]) -> torch.Tensor:
    """The number of each face's class, which must be among `classes`, [N]."""
    return torch.tensor([classes.index(face.label) for face in faces if face.label is not None])


def encode_targets(faces: FaceSet, classes: tuple[str, ...], head: Head) -> Targets:
    """The targets of these faces, whose labels (or lesion types) must be among `classes`.

    Raises BadLabel for a face whose lesions, which this head learns, are unknown.
    """
    if head.name in ("multi-label", "label-distribution"):
        known = with_known_lesions(faces, boxes=head.name == "label-distribution")
        if len(known) < len(faces):
            raise BadLabel(
                f"{faces.folder}: lesions of {len(faces) - len(known)} of {len(faces)} faces are unknown.",
                "Leave these faces out, or find lesions on them with `anonderm detect-lesions`.",
            )
    if head.name == "multi-label":
        rows = [[float(name in types_on(face)) for name in classes] for face in faces]
        return Targets(torch.tensor(rows).view(-1, len(classes)))
    labels = encode_labels(faces, classes)
    if not isinstance(head, LabelDistribution):
        return Targets(labels)
    counts = torch.tensor([len(face.boxes) for face in faces])
    return Targets(labels, counts.clamp(max=head.highest_count))


def require_lesions(faces: FaceSet, *, boxes: bool) -> FaceSet:
    """The faces of `with_known_lesions`. Raises BadLabel if these are fewer than half of the unhealthy."""
    known = with_known_lesions(faces, boxes=boxes)
    unhealthy, usable = ([face for face in each if face.label != HEALTHY] for each in (faces, known))
    if not usable or 2 * len(usable) < len(unhealthy):
        what = " with boxes" if boxes else ""
        raise BadLabel(
            f"{faces.folder}: lesions{what} of {len(usable)} of {len(unhealthy)} unhealthy faces are known.",
            "Ingest a source that lists lesions, or choose head = softmax or corn.",
        )
    return known


def count_agreement(head: LabelDistribution, targets: Targets) -> float:
    """Share of the faces whose lesion count lies within the bounds of their class."""
    assert targets.counts is not None
    class_by_count_N = torch.bucketize(targets.counts, torch.tensor(head.bounds))
    return (class_by_count_N == targets.labels).double().mean().item()


def _hayashi_bounds(classes: tuple[str, ...]) -> tuple[int, ...]:
    unknown = [label for label in classes[:-1] if label not in HAYASHI]
    if unknown:
        raise BadLabel(
            f"Hayashi's criterion gives no lesion count for the class {unknown[0]!r}.",
            f"Name the classes {', '.join(SEVERITIES)}, or set count_bounds.",
        )
    return tuple(HAYASHI[label] for label in classes[:-1])
