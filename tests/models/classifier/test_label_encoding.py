from __future__ import annotations

from pathlib import Path

import pytest

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.errors import BadLabel, ConfigError
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face, Lesion
from anonderm.models.classifier.heads import LabelDistribution, MultiLabel
from anonderm.models.classifier.label_encoding import (
    classes_and_head,
    count_agreement,
    encode_targets,
    is_ordered,
    require_lesions,
)


def face(label: str, *kinds: str, types: tuple[str, ...] = ()) -> Face:
    boxes = tuple(Lesion(kind, 0, 0, 1, 1) for kind in kinds)
    return Face(f"{label}-{len(kinds)}", label=label, lesions=boxes, lesion_types=types)


def faces(*rows: Face) -> FaceSet:
    return FaceSet(Path("faces"), rows)


def test_types_come_from_boxes_and_from_names_the_usual_ones_first():
    learn = faces(face("mild", "papule", "papule"), face("mild", types=("cyst", "comedone")), face("healthy"))
    classes, head = classes_and_head("multi-label", (), learn)
    assert classes == ("comedone", "papule", "cyst")
    assert encode_targets(learn, classes, head).labels.tolist() == [[0, 1, 0], [1, 0, 1], [0, 0, 0]]


def test_grades_get_their_bounds_from_hayashi():
    rows = [face("severe", *["papule"] * 30), face("healthy"), face("moderate", *["papule"] * 8)]
    learn = faces(face("mild", "papule"), *rows)
    classes, head = classes_and_head("label-distribution", (), learn)
    assert classes == ("healthy", "mild", "moderate", "severe")
    assert head == LabelDistribution((0, 5, 20), 65)
    truth = encode_targets(learn, classes, head)
    assert truth.labels.tolist() == [1, 3, 0, 2]
    assert truth.counts is not None
    assert truth.counts.tolist() == [1, 30, 0, 8]
    assert count_agreement(head, truth) == 1
    assert count_agreement(LabelDistribution((0, 5, 40), 65), truth) == 0.75


def test_bounds_must_fit_the_classes():
    learn = faces(face("mild", "papule"), face("severe", "papule", "papule"))
    assert classes_and_head("label-distribution", (7,), learn)[1].bounds == (7,)
    with pytest.raises(ConfigError, match="need 1"):
        classes_and_head("label-distribution", (7, 9), learn)
    with pytest.raises(ConfigError, match="ascending"):
        TrainClassifierConfig(head="label-distribution", count_bounds=(9, 9))
    with pytest.raises(ConfigError, match="label-distribution"):
        TrainClassifierConfig(head="corn", count_bounds=(9,))
    strange = faces(face("grade1", "papule"), face("grade2", "papule"))
    with pytest.raises(BadLabel, match="grade1"):
        classes_and_head("label-distribution", (), strange)


def test_types_without_boxes_cannot_be_counted():
    learn = faces(Face("a", label="mild", lesion_types=("papule",)), face("healthy"))
    assert classes_and_head("multi-label", (), learn)[1] == MultiLabel(1)
    with pytest.raises(BadLabel, match="0 of 1 unhealthy"):
        require_lesions(learn, boxes=True)


def test_faces_whose_lesions_are_unknown_take_no_part_and_those_known_to_have_none_do():
    unknown, none = Face("a", label="mild"), face("mild")
    known = require_lesions(
        faces(unknown, none, face("severe", "papule"), Face("b", label="healthy")), boxes=True
    )
    assert [each.id for each in known] == [none.id, "severe-1", "b"]


def test_only_grades_have_an_order():
    from anonderm.models.classifier.heads import Corn, Softmax

    assert is_ordered(Softmax(2), ("healthy", "mild"))
    assert not is_ordered(Softmax(2), ("healthy", "rosacea"))
    assert is_ordered(Corn(2), ("iga1", "iga2"))
    assert not is_ordered(MultiLabel(2), ("comedone", "papule"))
