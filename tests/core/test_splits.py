from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.core.splits import assign_splits, families, group_folds, hold_out, hold_out_people, shuffled

PHOTOS = st.lists(
    st.tuples(st.integers(0, 30).map(str), st.sampled_from(["healthy", "mild", "severe"])),
    min_size=1,
    max_size=120,
)


def split(photos, val_share=0.15, test_share=0.2, seed=0):
    subjects, labels = zip(*photos, strict=True)
    return assign_splits(subjects, labels, val_share, test_share, np.random.default_rng(seed))


def one_class(people: int) -> list[tuple[str, str]]:
    return [(f"p{index}", "mild") for index in range(people)]


@settings(deadline=None)
@given(PHOTOS)
def test_every_person_is_in_exactly_one_split(photos):
    splits = split(photos)
    assert set(splits) == {subject for subject, _ in photos}
    assert set(splits.values()) <= {"train", "val", "test"}


@settings(deadline=None)
@given(PHOTOS, st.randoms(use_true_random=False))
def test_the_order_of_the_photos_does_not_matter(photos, random):
    shuffled = list(photos)
    random.shuffle(shuffled)
    assert split(photos) == split(shuffled)


@settings(deadline=None)
@given(st.integers(4, 200), st.floats(0, 0.4), st.floats(0, 0.4), st.integers(0, 5))
def test_split_sizes_match_their_shares_to_within_one_person(people, val_share, test_share, seed):
    counts = Counter(split(one_class(people), val_share, test_share, seed).values())
    assert abs(counts["test"] - people * test_share) <= 1
    assert abs(counts["val"] - people * val_share) <= 1
    assert counts["train"] >= 1


@settings(deadline=None)
@given(PHOTOS)
def test_each_class_is_stratified_by_its_people(photos):
    photos = [(f"{label}-{subject}", label) for subject, label in photos]
    splits = split(photos)
    for label in {label for _, label in photos}:
        people = {subject for subject, other in photos if other == label}
        in_test = sum(splits[person] == "test" for person in people)
        assert abs(in_test - 0.2 * len(people)) <= 1


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        (1, {"train": 1}),
        (2, {"train": 1, "test": 1}),
        (3, {"train": 1, "test": 1, "val": 1}),
        (20, {"train": 13, "test": 4, "val": 3}),
    ],
)
def test_small_classes_fill_train_then_test_then_val(people, expected):
    assert Counter(split(one_class(people)).values()) == expected


def test_a_share_of_zero_leaves_the_split_empty():
    assert Counter(split(one_class(10), val_share=0.0).values()) == {"train": 8, "test": 2}


def test_the_seed_determines_the_split():
    assert split(one_class(40), seed=0) != split(one_class(40), seed=1)
    assert split(one_class(40), seed=1) == split(one_class(40), seed=1)


def test_a_person_with_two_classes_counts_as_the_most_frequent_one():
    photos = [("a", "severe"), ("a", "mild"), ("a", "mild"), ("b", "mild"), ("c", "severe")]
    splits = split(photos, val_share=0.0, test_share=0.5)
    # a and b are the two people of class mild, so one of them is in test; c is alone in her class.
    assert sorted((splits["a"], splits["b"])) == ["test", "train"]
    assert splits["c"] == "train"


LABELS = ("healthy", "mild", "severe")
PHOTOS_OF_13 = FaceSet(
    Path("photos"),
    tuple(
        Face(str(i), label=LABELS[i * i % 3] if i % 5 else "severe", subject=f"s{i * 7 % 13}")
        for i in range(40)
    ),
)
SYNTHETIC = FaceSet(
    Path("synthetic"),
    tuple(
        Face(
            str(i),
            label=LABELS[i % 3],
            checkpoint=f"g{i % 2}",
            seed=i * 5 % 17,
            parents=(f"p{i % 5}",) if i % 6 == 0 else (),
        )
        for i in range(40)
    ),
)


def ids(faces: FaceSet) -> str:
    return " ".join(face.id for face in faces)


def labels(faces: FaceSet) -> list[str]:
    return [str(face.label) for face in faces]


def test_splits_are_those_of_the_first_release():
    """Recorded with its code: splitting a set again must give the same rows."""
    people = [face.person for face in PHOTOS_OF_13]
    splits = assign_splits(people, labels(PHOTOS_OF_13), 0.2, 0.3, np.random.default_rng(3))
    assert {person for person, name in splits.items() if name == "test"} == {"s4", "s5", "s8", "s9"}
    assert {person for person, name in splits.items() if name == "val"} == {"s11", "s12", "s2"}
    assert ids(hold_out(PHOTOS_OF_13, labels(PHOTOS_OF_13), 4)[1]) == "0 3 13 16 26 29 39"
    assert ids(hold_out(SYNTHETIC, labels(SYNTHETIC), 4)[1]) == "2 3 4 6 36 37 38"
    held = hold_out_people(PHOTOS_OF_13, 4, np.random.default_rng(5))[1]
    assert ids(held) == "2 5 9 12 15 18 22 25 28 31 35 38"


def test_faces_that_share_a_parent_or_a_latent_are_one_family():
    family_N = families(SYNTHETIC)
    assert family_N[[0, 30, 34]].tolist() == [0, 0, 0]  # 0 and 30 share a parent, 0 and 34 a latent
    assert family_N[6] == family_N[36] == family_N[2], "2 and 36 share a latent, 36 and 6 a parent"
    assert len(set(family_N)) == 32


def test_hold_out_people_never_divides_a_person():
    faces = FaceSet(Path("faces"), (*PHOTOS_OF_13, Face("nobody")))
    rest, held = hold_out_people(faces, 4, np.random.default_rng(0))
    assert (rest.people, held.people) == (10, 4)
    assert not {face.person for face in rest} & {face.person for face in held}
    assert sorted([*rest, *held], key=faces.faces.index) == list(faces)
    assert hold_out_people(faces, 4, np.random.default_rng(0)) == (rest, held)
    assert hold_out_people(faces, 4, np.random.default_rng(1)) != (rest, held)
    assert hold_out_people(faces, 0, np.random.default_rng(0)) == (faces, FaceSet(faces.folder, ()))


def test_folds_cover_every_row_once_and_never_divide_a_group():
    groups = [i * 7 % 11 for i in range(50)]
    folds = group_folds(groups, 4, np.random.default_rng(0))
    assert [len(fold) for fold in folds] == [3, 3, 3, 2]
    assert sorted(row for fold in folds for rows in fold for row in rows) == list(range(50))
    assert all(len({groups[row] for row in rows}) == 1 for fold in folds for rows in fold)


def test_the_order_of_the_groups_does_not_matter():
    one, other = (shuffled(groups, np.random.default_rng(0)) for groups in ("abcdef", "fedcbaab"))
    assert one == other
    assert sorted(one) == list("abcdef")
