"""The training set of each arm: the faces asked for, none of them tested, and notes on shortages."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.experiments.data_mix.conftest import CLASSES, QUICK

from anonderm.core.errors import BadLabel, ConfigError, InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.core.results.data_mix import Shortage
from anonderm.experiments.data_mix.arms import Arm, arms, joined, real_pool, synthetic_pool
from anonderm.experiments.data_mix.config import DataMixConfig

REAL = FaceSet(
    Path("/data/real"),
    tuple(
        Face(f"{label}{split}{i}", f"images/{i}.png", label=label, split=split, subject=f"{label}{split}{i}")
        for label, counts in (
            ("healthy", {"train": 20, "val": 4, "test": 6}),
            ("mild", {"train": 10, "val": 2, "test": 4}),
        )
        for split, count in counts.items()
        for i in range(count)
    ),
)


def synthetic(healthy: int = 100, mild: int = 100) -> FaceSet:
    """A seed gives a face of both classes: they are relatives."""
    faces = [
        Face(f"{label}{seed}", f"images/{label}{seed}.png", label=label, checkpoint="gan", seed=seed)
        for label, count in (("healthy", healthy), ("mild", mild))
        for seed in range(count)
    ]
    return FaceSet(Path("/data/synthetic"), tuple(faces))


def made(drawn: FaceSet, **changes: object) -> tuple[dict[str, Arm], list[str]]:
    config = DataMixConfig(**(QUICK | {"ratios": (0.5, 1.0, 2.0), "seeds": 2} | changes))  # type: ignore[arg-type]
    found, notes = arms(config, real_pool(REAL, 0), synthetic_pool(drawn, CLASSES, 0))
    return {arm.name: arm for arm in found}, notes


def files(faces: FaceSet) -> set[str]:
    return {face.file for face in faces}


def test_synthetic_faces_are_added_in_proportion_to_the_real_ones_of_each_class():
    found, notes = made(synthetic())
    assert notes == []
    counts = {name: arm.training_sets[0].where(split="train").label_counts for name, arm in found.items()}
    assert counts["real"] == counts["real-plain"] == counts["synthetic-equal"] == {"healthy": 20, "mild": 10}
    assert counts["real+0.5x"] == {"healthy": 30, "mild": 15}
    assert counts["real+2x"] == {"healthy": 60, "mild": 30}
    assert [found[name].synthetic for name in ("real", "synthetic-equal", "real+2x")] == [0, 30, 60]


def test_a_larger_ratio_contains_the_faces_of_a_smaller_one_and_another_seed_draws_others():
    found, _ = made(synthetic())
    small, large = (found[name].training_sets for name in ("real+0.5x", "real+2x"))
    assert files(small[0]) < files(large[0])
    assert files(small[0]) != files(small[1])


def test_only_arms_without_real_faces_validate_on_synthetic_ones():
    found, _ = made(synthetic())
    chosen_by = {name: files(arm.training_sets[0].where(split="val")) for name, arm in found.items()}
    assert chosen_by["real+2x"] == {f"real/{file}" for file in chosen_by["real"]}
    assert len(chosen_by["synthetic-equal"]) == 6
    assert all(file.startswith(("images/healthy", "images/mild")) for file in chosen_by["synthetic"])


def test_no_test_face_nor_a_relative_of_it_is_trained_on():
    pools = real_pool(REAL, 0), synthetic_pool(synthetic(), CLASSES, 0)
    tested = {face.seed for face in pools[1].test}
    assert len(tested) == 20
    for arm in made(synthetic())[0].values():
        for faces in arm.training_sets:
            assert not tested & {face.seed for face in faces}
            assert not {face.subject for face in pools[0].test} & {
                face.subject for face in faces if face.subject
            }


def test_too_few_synthetic_faces_are_noted_and_an_arm_that_would_be_the_same_is_left_out():
    found, notes = made(synthetic(healthy=60, mild=10), ratios=(1.0, 5.0, 10.0))
    assert "real+10x" not in found
    assert found["real+5x"].shortages == {"healthy": Shortage(48, 100), "mild": Shortage(8, 50)}
    assert "real+10x is left out: there are no synthetic faces left to add" in notes
    assert "real+5x: too few synthetic faces, there are 48 of 100 healthy, 8 of 50 mild" in notes


def test_without_augmentation_there_is_no_arm_without_it():
    plain = {"flip": False, "brightness": (1.0, 1.0), "rotation": 0.0}
    found, notes = made(synthetic(), **plain)
    assert "real-plain" not in found
    assert "not augmented" in notes[0]


def test_sets_in_two_folders_are_joined_in_place():
    every = joined([REAL.where(split="train"), synthetic()], REAL.where(split="val"))
    assert every.folder == Path("/data")
    assert {face.file.split("/")[0] for face in every} == {"real", "synthetic"}
    assert len({face.id for face in every}) == len(every) == 30 + 200 + 6


def test_a_person_in_training_and_test_is_refused():
    twin = dataclasses.replace(REAL.faces[0], id="twin", split="test")
    with pytest.raises(InputError, match=r"1 people are in training and in the test, such as healthytrain0"):
        real_pool(FaceSet(REAL.folder, (*REAL.faces, twin)), 0)


def test_other_classes_and_no_test_split_are_refused():
    with pytest.raises(BadLabel, match=r"classes are healthy; the real training faces are healthy, mild"):
        synthetic_pool(synthetic(mild=0), CLASSES, 0)
    with pytest.raises(InputError, match="test split"):
        real_pool(REAL.where(split="train"), 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"ratios": (0.0, 1.0)}, "must be greater than 0"),
        ({"ratios": (2.0, 1.0)}, "must increase"),
        ({"seeds": 0}, "seeds = 0"),
        ({"head": "multi-label"}, "not annotated"),
        ({"epoch_faces": 20, "lengths": "epochs"}, "epoch_faces = 20"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object], message: str):
    with pytest.raises(ConfigError, match=message):
        DataMixConfig(**(QUICK | wrong))
