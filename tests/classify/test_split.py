from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.classify.split import split_by_class, split_by_types
from anonderm.core.errors import TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face


def synthetic(*faces: Face) -> FaceSet:
    return FaceSet(Path("faces"), faces)


def test_the_splits_of_a_set_are_honoured():
    rows = [
        Face(f"{label}-{split}", label=label, split=split)
        for label in ("healthy", "mild")
        for split in ("train", "val", "test")
    ]
    train, val = split_by_class(synthetic(*rows), 0)
    assert {face.id for face in train} == {"healthy-train", "mild-train"}
    assert {face.id for face in val} == {"healthy-val", "mild-val"}


def test_a_fifth_of_every_class_is_held_out():
    faces = synthetic(*(Face(f"{label}{i}", label=label) for label in ("healthy", "mild") for i in range(50)))
    train, val = split_by_class(faces, 0)
    assert [len(part.where(label=label)) for part in (train, val) for label in faces.labels] == [
        40,
        40,
        10,
        10,
    ]
    assert split_by_class(faces, 0) == (train, val)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 12)), min_size=20, max_size=40), st.integers(0, 5)
)
def test_no_person_and_no_parent_is_in_both_parts(ties: list[tuple[int, int]], seed: int):
    faces = synthetic(
        *(
            Face(str(i), label="healthy" if i % 2 else "mild", subject=f"s{person}", parents=(f"p{parent}",))
            for i, (person, parent) in enumerate(ties)
        )
    )
    try:
        train, val = split_by_class(faces, seed)
    except TooFewImages:
        return
    assert not {face.subject for face in train} & {face.subject for face in val}
    assert not {face.parents for face in train} & {face.parents for face in val}
    assert len(train) + len(val) == len(faces)


def test_two_faces_cannot_be_split():
    with pytest.raises(TooFewImages, match="best epoch"):
        split_by_class(synthetic(Face("a", label="healthy"), Face("b", label="mild")), 0)


def test_a_class_that_only_val_has_cannot_be_learned():
    rows = (Face("a", label="healthy", split="train"), Face("b", label="mild", split="val"))
    with pytest.raises(TooFewImages, match="to learn mild from"):
        split_by_class(synthetic(*rows), 0)


def test_combinations_of_lesion_types_are_stratified_like_classes():
    faces = synthetic(
        *(
            Face(f"{kinds}{i}", lesion_types=kinds)
            for kinds in (("papule",), ("papule", "nodule"), ())
            for i in range(20)
        )
    )
    train, val = split_by_types(faces, 0)
    for part, expected in ((train, 16), (val, 4)):
        assert [sum(kinds == face.lesion_types for face in part) for kinds in (("papule",), ())] == [
            expected
        ] * 2


def test_a_type_that_only_val_has_cannot_be_learned():
    rows = (
        Face("a", split="train", lesion_types=("papule",)),
        Face("b", split="val", lesion_types=("nodule",)),
    )
    with pytest.raises(TooFewImages, match="to learn nodule from"):
        split_by_types(synthetic(*rows), 0)
