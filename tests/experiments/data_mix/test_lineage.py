"""Whether anything behind the synthetic faces saw the test people: refused where known, said where not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Face
from anonderm.experiments.data_mix.lineage import refuse_test_people

REAL = FaceSet(
    Path("real"),
    tuple(
        Face(
            f"{label}-{split}",
            sha256=f"sha {label} {split}",
            label=label,
            split=split,
            subject=f"{label}-{split}",
        )
        for label in ("healthy", "mild")
        for split in ("train", "val", "test")
    ),
)


class Maker(Checkpoint):
    @property
    def digest(self) -> str:  # type: ignore[override]
        return self.path.stem


def maker(learned_from: FaceSet, name: str = "gan") -> Checkpoint:
    notes = {"trained_on": learned_from.origin}
    card = CheckpointCard("gan", {}, 32, data_digest=learned_from.digest, notes=notes)
    return Maker(Path(f"{name}.safetensors"), card)


def drawn(**changes: object) -> FaceSet:
    face = Face("made", sha256="new", label="mild", checkpoint="gan", seed=1)
    return FaceSet(Path("synthetic"), (dataclasses.replace(face, **changes),))  # type: ignore[arg-type]


def test_makers_that_honour_the_split_leave_nothing_to_say():
    train = REAL.where(split="train")
    for learned_from in (train, train.where(label="mild"), REAL, drawn(seed=2)):
        assert refuse_test_people(REAL, drawn(), [maker(learned_from)]) == []


@pytest.mark.parametrize(
    "origin", [{"parents": ("mild-test",)}, {"subject": "healthy-test"}, {"sha256": "sha mild test"}]
)
def test_a_face_that_comes_from_a_test_photo_is_refused(origin: dict[str, object]):
    with pytest.raises(InputError, match="made comes from a photo of the test split"):
        refuse_test_people(REAL, drawn(**origin), [])


def test_a_maker_that_took_the_test_photos_as_well_is_refused():
    unsplit = FaceSet(REAL.folder, tuple(dataclasses.replace(face, split="train") for face in REAL))
    for learned_from in (unsplit, unsplit.where(label="mild")):
        with pytest.raises(InputError, match="without leaving out its test split"):
            refuse_test_people(REAL, drawn(), [maker(learned_from)])


def test_what_cannot_be_known_is_said():
    (trust,) = refuse_test_people(REAL, drawn(), [])
    assert "taken on trust" in trust
    others = FaceSet(Path("others"), (Face("x", split="train"),))
    unnamed, unknown = refuse_test_people(REAL, drawn(), [maker(others, "grader")])
    assert unnamed.startswith("1 of the GANs")
    assert unknown.startswith("a maker (gan grader) learned from other faces")
    nameless = FaceSet(REAL.folder, tuple(dataclasses.replace(face, subject=None) for face in REAL))
    assert "each counts as another" in refuse_test_people(nameless, drawn(), [maker(nameless)])[0]
    photos = drawn(checkpoint=None)
    assert (
        "1 of the 1 synthetic faces name no generator" in refuse_test_people(REAL, photos, [maker(REAL)])[0]
    )
