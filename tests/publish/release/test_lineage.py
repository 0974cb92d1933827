"""The lineage of the faces, as far as cards document it, and the licences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from made_up_release import write_release

from anonderm.core import weights
from anonderm.core.checkpoint import Checkpoint, CheckpointCard
from anonderm.core.faceset import FaceSet
from anonderm.publish.release.lineage import ancestors, licences


def checkpoint(folder: Path, name: str, kind: str = "gan", licence: str = "", **notes: object) -> Checkpoint:
    card = CheckpointCard(kind, {}, 64, data_digest="d1" * 32, licence=licence, notes=notes)  # type: ignore[arg-type]
    return Checkpoint.save(folder / f"{name}.safetensors", {name: torch.zeros(1)}, card)


def drawn_by(faces: FaceSet, *generators: Checkpoint) -> FaceSet:
    rows = (
        replace(face, checkpoint=generators[index % len(generators)].digest)
        for index, face in enumerate(faces)
    )
    return FaceSet(faces.folder, tuple(rows))


def test_the_lineage_goes_from_the_generator_through_every_base(faces: FaceSet, tmp_path: Path) -> None:
    shipped = weights.load("phantom-64")
    ffhq = checkpoint(tmp_path, "ffhq", licence="NVIDIA non-commercial", trained_on="real", faces=70_000)
    first = checkpoint(tmp_path, "first", licence="CC-BY-4.0", base=ffhq.digest, trained_on="real", faces=300)
    second = checkpoint(tmp_path, "second", licence="CC-BY-4.0", base=first.digest, trained_on="synthetic")
    other = checkpoint(tmp_path, "other", licence="CC0-1.0", base=shipped.digest)
    grader = checkpoint(tmp_path, "grader", "classifier", "CC-BY-4.0", trained_on="real", n=250)
    found = ancestors(drawn_by(faces, second, other), (second, first, ffhq, other, grader))
    chain = {each.digest: each for each in found}
    assert chain.keys() == {each.digest for each in (second, first, ffhq, other, shipped, grader)}
    assert "ships with anonderm" in chain[shipped.digest].role
    assert chain[ffhq.digest].licence == "NVIDIA non-commercial"
    assert chain[ffhq.digest].trained_on == "70,000 real faces, set d1d1d1d1d1d1"
    assert chain[grader.digest].trained_on.startswith("250 real faces")


def test_a_base_that_only_a_card_knows_keeps_its_licence(faces: FaceSet, tmp_path: Path) -> None:
    told = [
        {"digest": "ff" * 32, "licence": "NVIDIA non-commercial", "data_digest": ""},
        {"digest": "ee" * 32},
    ]
    generator = checkpoint(tmp_path, "one", licence="CC0-1.0", base="ff" * 32, bases=told)
    _, base, older = ancestors(drawn_by(faces, generator), (generator,))
    assert (base.digest, base.licence) == ("ff" * 32, "NVIDIA non-commercial")
    assert (older.licence, older.trained_on[:9]) == ("not stated", "not given")


def test_every_inherited_licence_is_on_the_card(faces: FaceSet, tmp_path: Path) -> None:
    generator = checkpoint(tmp_path, "one", licence="Terms of ward 7")
    drawn = drawn_by(faces, generator)
    release = write_release(tmp_path / "export", drawn, source_models=(generator,), licence="CC-BY-4.0")
    card = (release / "README.md").read_text(encoding="utf-8")
    assert "| Terms of ward 7 | generator of the faces" in card
    assert licences(drawn, ancestors(drawn, (generator,))).keys() == {"CC-BY-4.0", "Terms of ward 7"}


def test_a_generator_that_was_not_given_is_reported_as_unknown(faces: FaceSet, release: Path) -> None:
    (unknown,) = ancestors(faces, ())
    assert unknown.licence == "not stated"
    assert "not given with --source-models" in (release / "README.md").read_text(encoding="utf-8")
