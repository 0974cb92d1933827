from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.classify.split import learning_split, learning_split_by_types
from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face


def synthetic(*faces: Face) -> FaceSet:
    return FaceSet(Path("faces"), faces)


def test_given_splits_are_honoured():
    rows = [
        Face(f"{label}-{split}", label=label, split=split)
        for label in ("healthy", "mild")
        for split in ("train", "val", "test")
    ]
    learn, choose = learning_split(synthetic(*rows), 0)
    assert {face.id for face in learn} == {"healthy-train", "mild-train"}
    assert {face.id for face in choose} == {"healthy-val", "mild-val"}


def test_a_fifth_of_every_class_is_held_out():
    faces = synthetic(*(Face(f"{label}{i}", label=label) for label in ("healthy", "mild") for i in range(50)))
    learn, choose = learning_split(faces, 0)
    assert [len(part.where(label=label)) for part in (learn, choose) for label in faces.labels] == [
        40,
        40,
        10,
        10,
    ]
    assert learning_split(faces, 0) == (learn, choose)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 12)), min_size=20, max_size=40), st.integers(0, 5)
)
def test_no_person_and_no_parent_is_on_both_sides(ties: list[tuple[int, int]], seed: int):
    faces = synthetic(
        *(
            Face(str(i), label="healthy" if i % 2 else "mild", subject=f"s{person}", parents=(f"p{parent}",))
            for i, (person, parent) in enumerate(ties)
        )
    )
    try:
        learn, choose = learning_split(faces, seed)
    except TooFewImages:
        return
    assert not {face.subject for face in learn} & {face.subject for face in choose}
    assert not {face.parents for face in learn} & {face.parents for face in choose}
    assert len(learn) + len(choose) == len(faces)


def test_two_faces_cannot_be_split():
    with pytest.raises(TooFewImages, match="best epoch"):
        learning_split(synthetic(Face("a", label="healthy"), Face("b", label="mild")), 0)


def test_a_class_that_only_val_has_cannot_be_learned():
    rows = (Face("a", label="healthy", split="train"), Face("b", label="mild", split="val"))
    with pytest.raises(TooFewImages, match="to learn mild from"):
        learning_split(synthetic(*rows), 0)


def test_lesion_types_are_dealt_as_evenly_as_classes():
    faces = synthetic(
        *(
            Face(f"{kinds}{i}", lesion_types=kinds)
            for kinds in (("papule",), ("papule", "nodule"), ())
            for i in range(20)
        )
    )
    learn, choose = learning_split_by_types(faces, 0)
    for part, expected in ((learn, 16), (choose, 4)):
        assert [sum(kinds == face.lesion_types for face in part) for kinds in (("papule",), ())] == [
            expected
        ] * 2


def test_a_type_that_only_val_shows_cannot_be_learned():
    rows = (
        Face("a", split="train", lesion_types=("papule",)),
        Face("b", split="val", lesion_types=("nodule",)),
    )
    with pytest.raises(TooFewImages, match="to learn nodule from"):
        learning_split_by_types(synthetic(*rows), 0)
