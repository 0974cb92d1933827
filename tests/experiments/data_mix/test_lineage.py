"""Source models trained on test people are refused where that is known, and warned of where it is not."""

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


class SourceModel(Checkpoint):
    @property
    def digest(self) -> str:  # type: ignore[override]
        return self.path.stem


def source_model(trained_on: FaceSet, name: str = "gan") -> Checkpoint:
    notes = {"trained_on": trained_on.origin}
    card = CheckpointCard("gan", {}, 32, data_digest=trained_on.digest, notes=notes)
    return SourceModel(Path(f"{name}.safetensors"), card)


def drawn(**changes: object) -> FaceSet:
    face = Face("made", sha256="new", label="mild", checkpoint="gan", seed=1)
    return FaceSet(Path("synthetic"), (dataclasses.replace(face, **changes),))  # type: ignore[arg-type]


def test_models_trained_without_the_test_split_give_no_warning():
    train = REAL.where(split="train")
    for trained_on in (train, train.where(label="mild"), REAL, drawn(seed=2)):
        assert refuse_test_people(REAL, drawn(), [source_model(trained_on)]) == []


@pytest.mark.parametrize(
    "origin", [{"parents": ("mild-test",)}, {"subject": "healthy-test"}, {"sha256": "sha mild test"}]
)
def test_a_face_that_comes_from_a_test_photo_is_refused(origin: dict[str, object]):
    with pytest.raises(InputError, match="made comes from a photo of the test split"):
        refuse_test_people(REAL, drawn(**origin), [])


def test_a_model_trained_on_the_test_photos_is_refused():
    unsplit = FaceSet(REAL.folder, tuple(dataclasses.replace(face, split="train") for face in REAL))
    for trained_on in (unsplit, unsplit.where(label="mild")):
        with pytest.raises(InputError, match="including its test split"):
            refuse_test_people(REAL, drawn(), [source_model(trained_on)])


def test_unknown_origins_are_warned_of():
    (trust,) = refuse_test_people(REAL, drawn(), [])
    assert "taken on trust" in trust
    others = FaceSet(Path("others"), (Face("x", split="train"),))
    unnamed, unknown = refuse_test_people(REAL, drawn(), [source_model(others, "grader")])
    assert unnamed.startswith("1 GANs that generated synthetic faces are missing")
    assert unknown.startswith("a model (gan grader) was trained on other faces")
    nameless = FaceSet(REAL.folder, tuple(dataclasses.replace(face, subject=None) for face in REAL))
    assert "each counts as another" in refuse_test_people(nameless, drawn(), [source_model(nameless)])[0]
    photos = drawn(checkpoint=None)
    assert (
        "1 of the 1 synthetic faces name no generator"
        in refuse_test_people(REAL, photos, [source_model(REAL)])[0]
    )
