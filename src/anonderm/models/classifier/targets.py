"""What a classifier is to say about each face: its class, its lesion types, its number of lesions.

Lesions of a face come from its boxes, or, for the types alone, from a source that only names them. A face
without either counts as free of lesions, unless that would be most of the faces that are not healthy.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from anonderm.core.errors import BadLabel, ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.records import SEVERITIES, Face, order_kinds
from anonderm.models.classifier.heads import Corn, MultiLabel, Reading, Softmax
from anonderm.models.classifier.label_distribution import LabelDistribution
from anonderm.models.classifier.settings import HeadName
from anonderm.models.classifier.truth import Truth

HEALTHY = SEVERITIES[0]
HAYASHI = {"healthy": 0, "mild": 5, "moderate": 20, "severe": 50}
"""Highest lesion count of each severity on half a face. Source: Hayashi et al. 2008, as cited for ACNE04."""
_FEWEST_LEVELS = 65  # the highest count on ACNE04


def types_on(face: Face) -> set[str]:
    """The lesion types that are known to be on this face."""
    return {lesion.kind for lesion in face.lesions} | set(face.lesion_types)


def lesion_types(faces: Iterable[Face]) -> tuple[str, ...]:
    """Every type on these faces, in the usual order."""
    return order_kinds(kind for face in faces for kind in types_on(face))


def reading_for(
    head: HeadName, count_bounds: tuple[int, ...], learn: FaceSet
) -> tuple[tuple[str, ...], Reading]:
    """Classes (or lesion types) and the head that the settings ask for.

    Raises BadLabel where the faces do not show what the head learns, ConfigError for bounds that do not fit.
    """
    labels = learn.labels
    match head:
        case "multi-label":
            need_lesions(learn, boxes=False)
            types = lesion_types(learn)
            return types, MultiLabel(len(types))
        case "corn":
            return labels, Corn(len(labels))
        case "label-distribution":
            need_lesions(learn, boxes=True)
            bounds = count_bounds or _hayashi_bounds(labels)
            if len(bounds) != len(labels) - 1:
                raise ConfigError(
                    f"count_bounds = {bounds}: {len(labels)} classes ({', '.join(labels)}) need "
                    f"{len(labels) - 1} of them."
                )
            highest = max(len(face.lesions) for face in learn)
            return labels, LabelDistribution(tuple(bounds), max(_FEWEST_LEVELS, highest, bounds[-1] + 1))
    return labels, Softmax(len(labels))


def is_ordered(reading: Reading, classes: tuple[str, ...]) -> bool:
    """Whether the classes are grades, so that being wrong by two is worse than by one."""
    return reading.name in ("corn", "label-distribution") or (
        reading.name == "softmax" and set(classes) <= set(SEVERITIES)
    )


def truth_of(faces: FaceSet, classes: tuple[str, ...], reading: Reading) -> Truth:
    """The right answers for these faces, which must have labels (or lesions) that `classes` names."""
    if reading.name == "multi-label":
        rows = [[float(name in types_on(face)) for name in classes] for face in faces]
        return Truth(torch.tensor(rows).view(-1, len(classes)))
    answers = torch.tensor([classes.index(face.label) for face in faces if face.label is not None])
    if not isinstance(reading, LabelDistribution):
        return Truth(answers)
    return Truth(answers, torch.tensor([len(face.lesions) for face in faces]).clamp(max=reading.most))


def need_lesions(faces: FaceSet, *, boxes: bool) -> int:
    """How many faces that are not healthy have no lesion. Raises BadLabel where most have none."""
    sick = [face for face in faces if face.label != HEALTHY]
    bare = [face for face in sick if not (face.lesions or (face.lesion_types and not boxes))]
    if not sick or 2 * len(bare) > len(sick):
        what = "lesion box" if boxes else "lesion"
        raise BadLabel(
            f"{faces.folder}: {len(bare)} of the {len(sick)} faces that are not healthy have no {what}.",
            "Ingest a source that tells the lesions, or choose head = softmax or corn.",
        )
    return len(bare)


def count_agreement(reading: LabelDistribution, truth: Truth) -> float:
    """Share of the faces whose lesion count lies within the bounds of their class."""
    assert truth.counts is not None
    by_count_N = torch.bucketize(truth.counts, torch.tensor(reading.bounds))
    return (by_count_N == truth.answers).double().mean().item()


def _hayashi_bounds(labels: tuple[str, ...]) -> tuple[int, ...]:
    unknown = [label for label in labels[:-1] if label not in HAYASHI]
    if unknown:
        raise BadLabel(
            f"Hayashi's criterion has no lesion count for {unknown[0]!r}.",
            f"Name the classes {', '.join(SEVERITIES)}, or give count_bounds.",
        )
    return tuple(HAYASHI[label] for label in labels[:-1])
