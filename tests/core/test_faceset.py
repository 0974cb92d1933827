from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.core.errors import BrokenArtefact, InputError, MissingPath
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import LESION_KINDS, Face, Lesion

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
LESIONS = st.builds(Lesion, st.sampled_from(LESION_KINDS), NUMBERS, NUMBERS, NUMBERS, NUMBERS)
ROWS = st.builds(
    Face,
    id=st.uuids().map(str),
    label=st.none() | TEXT,
    subject=st.none() | TEXT,
    split=st.none() | st.sampled_from(["train", "val", "test"]),
    parents=st.lists(TEXT, max_size=2).map(tuple),
    source=TEXT,
    licence=TEXT,
    checkpoint=st.none() | TEXT,
    seed=st.none() | st.integers(0, 2**63 - 1),
    psi=st.none() | NUMBERS,
    confidence=st.none() | NUMBERS,
    reason=st.none() | TEXT,
    ita=st.none() | NUMBERS,
    lesions=st.none() | st.lists(LESIONS, max_size=3).map(tuple),
    lesion_types=st.none() | st.lists(TEXT, max_size=2).map(tuple),
)


def picture(level: int, side: int = 8) -> np.ndarray:
    return np.full((side, side, 3), level, np.uint8)


@pytest.fixture
def faces(tmp_path) -> FaceSet:
    writer = FaceSetWriter(tmp_path / "faces")
    for index, (label, split) in enumerate([("mild", "train"), ("severe", "test"), ("healthy", "train")]):
        writer.add(picture(index), Face(f"f{index}", label=label, subject=f"p{index}", split=split))
    return writer.finish()


@settings(deadline=None, max_examples=25)
@given(st.lists(ROWS, max_size=4, unique_by=lambda face: face.id))
def test_rows_survive_a_round_trip_even_through_the_journal(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("faces")
    writer = FaceSetWriter(folder)
    written = [writer.add(picture(0, 1), face) for face in rows]
    finished = FaceSetWriter(folder).finish()
    assert finished == FaceSet.load(folder)
    assert finished.faces == tuple(sorted(written, key=lambda face: face.id))
    blank = [dataclasses.replace(face, file="", sha256="") for face in written]
    assert blank == rows


def test_pixels_are_in_the_order_of_the_rows(faces):
    pixels = faces.pixels()
    assert pixels.shape == (3, 8, 8, 3)
    assert pixels[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert faces.pixels(4).shape == (3, 4, 4, 3)
    assert faces.where(label="none").pixels(4).shape == (0, 4, 4, 3)


def test_views_hold_the_faces_that_meet_every_condition(faces):
    assert faces.labels == ("healthy", "mild", "severe")
    assert [face.id for face in faces.where(split="train")] == ["f0", "f2"]
    assert [face.id for face in faces.where(split=("val", "test"))] == ["f1"]
    assert [face.id for face in faces.where(split="train", label="mild")] == ["f0"]
    assert [face.id for face in faces.where(ids={"f1", "f2"}, split="train")] == ["f2"]


def test_a_mask_is_stored_with_its_face(tmp_path):
    mask = np.eye(8, dtype=bool)
    writer = FaceSetWriter(tmp_path)
    writer.add(picture(0), Face("a"), mask)
    writer.add(picture(0), Face("b"))
    faces = writer.finish()
    np.testing.assert_array_equal(faces.mask(faces.faces[0]), mask)
    with pytest.raises(BrokenArtefact, match="face b has no skin mask"):
        faces.mask(faces.faces[1])


def test_the_digest_depends_on_the_faces_and_not_on_their_folder(faces, tmp_path):
    moved = tmp_path / "moved"
    faces.folder.rename(moved)
    assert FaceSet.load(moved).digest == faces.digest
    for change in ({"label": "mild"}, {"split": "val"}, {"subject": "p9"}, {"sha256": "0"}):
        changed = (*faces.faces[:2], dataclasses.replace(faces.faces[2], **change))
        assert FaceSet(moved, changed).digest != faces.digest
    assert faces.where(split="train").digest != faces.digest


def test_a_killed_writer_resumes_with_the_faces_it_wrote(tmp_path):
    writer = FaceSetWriter(tmp_path)
    for index in range(3):
        writer.add(picture(index), Face(f"f{index}"))
    journal = tmp_path / "rows.jsonl"
    journal.write_bytes(journal.read_bytes()[:-5])
    again = FaceSetWriter(tmp_path)
    assert again.done == {"f0", "f1"}
    again.add(picture(2), Face("f2"))
    assert [face.id for face in again.finish()] == ["f0", "f1", "f2"]
    assert not journal.exists()


def test_an_unfinished_faceset_is_refused(tmp_path):
    FaceSetWriter(tmp_path).add(picture(0), Face("a"))
    with pytest.raises(MissingPath, match="not a finished FaceSet") as caught:
        FaceSet.load(tmp_path)
    assert "run the same command again" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not parquet at all"])
def test_a_damaged_manifest_is_named_in_the_error(faces, content):
    (faces.folder / "manifest.parquet").write_bytes(content)
    with pytest.raises(BrokenArtefact, match=r"manifest\.parquet"):
        FaceSet.load(faces.folder)


def test_a_manifest_with_other_columns_is_named_in_the_error(faces):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    parquet.write_table(pa.table({"fruit": ["apple"]}), faces.folder / "manifest.parquet")
    with pytest.raises(BrokenArtefact, match=r"manifest\.parquet"):
        FaceSet.load(faces.folder)


def test_a_missing_image_is_named_in_the_error(faces):
    (faces.folder / "images" / "f1.png").unlink()
    with pytest.raises(MissingPath, match=r"f1\.png"):
        faces.pixels()


def test_a_copied_face_keeps_its_image_and_gets_its_new_row(faces, tmp_path):
    writer = FaceSetWriter(tmp_path / "kept")
    writer.add_from(faces, dataclasses.replace(faces.faces[1], label="mild", confidence=0.9))
    kept = writer.finish()
    assert kept.faces[0].label == "mild"
    assert kept.faces[0].sha256 == faces.faces[1].sha256
    np.testing.assert_array_equal(kept.pixels(), faces.pixels()[1:2])


def test_a_writer_without_faces_makes_an_empty_faceset(tmp_path):
    FaceSetWriter(tmp_path).finish()
    assert len(FaceSet.load(tmp_path)) == 0


def test_the_journal_is_plain_json(tmp_path):
    FaceSetWriter(tmp_path).add(picture(0), Face("a", label="にきび"))
    assert json.loads((tmp_path / "rows.jsonl").read_text(encoding="utf-8"))["label"] == "にきび"


@pytest.mark.parametrize("id", ["../out", "a/b", "a\\b", ""])
def test_an_id_that_points_outside_the_folder_is_refused(tmp_path: Path, id: str) -> None:
    with pytest.raises(InputError, match="cannot name a file"):
        FaceSetWriter(tmp_path / "faces").add(np.zeros((8, 8, 3), np.uint8), Face(id=id))
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("file", ["../secret.png", "/etc/passwd"])
def test_a_manifest_that_points_outside_its_folder_is_refused(tmp_path: Path, file: str) -> None:
    writer = FaceSetWriter(tmp_path / "faces")
    writer.folder.mkdir()
    writer._note(Face(id="a", file=file))
    writer.finish()
    with pytest.raises(BrokenArtefact, match="outside its folder"):
        FaceSet.load(tmp_path / "faces")


def test_a_writer_killed_after_the_last_face_has_all_of_them(tmp_path: Path) -> None:
    writer = FaceSetWriter(tmp_path / "faces")
    writer.add(np.zeros((8, 8, 3), np.uint8), Face(id="a"))
    complete = writer.finish()
    again = FaceSetWriter(tmp_path / "faces")
    assert again.done == {"a"}
    assert again.finish() == complete


def test_batches_counts_people_and_licences(tmp_path: Path) -> None:
    rows = [
        Face("a", label="mild", subject="p", licence="B", split="train"),
        Face("b", label="healthy", subject="p", licence="A"),
        Face("c", label="mild", licence="B", split="test"),
        Face("d"),
    ]
    faces = FaceSet(tmp_path, tuple(rows))
    assert [[face.id for face in batch] for batch in faces.batches(3)] == [["a", "b", "c"], ["d"]]
    assert list(faces.label_counts.items()) == [("healthy", 1), ("mild", 2)]
    assert faces.people == 3
    assert faces.licence == "A AND B"
    assert [face.id for face in faces.where(split=("train", None))] == ["a", "b", "d"]


def test_a_set_is_synthetic_if_every_face_names_its_checkpoint(tmp_path: Path):
    photo, drawn = Face("photo"), Face("drawn", checkpoint="gan")
    origins = [FaceSet(tmp_path, faces).origin for faces in ((photo,), (drawn,), (photo, drawn))]
    assert origins == ["real", "synthetic", "mixed"]


def test_a_sample_keeps_the_order_of_the_set(tmp_path: Path):
    faces = FaceSet(tmp_path, tuple(Face(str(number)) for number in range(20)))
    sample = faces.sample(6, np.random.default_rng(0))
    assert len(sample) == 6
    assert list(sample) == [face for face in faces if face in sample.faces]
    assert faces.sample(6, np.random.default_rng(1)) != sample
    assert faces.sample(99, np.random.default_rng(0)) == faces


def test_no_lesions_in_a_manifest_that_could_not_say_unknown_are_unknown(tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    writer = FaceSetWriter(tmp_path)
    box = Lesion("papule", 0, 0, 4, 4)
    writer.add(picture(1), Face("a", lesions=(), lesion_types=()))
    writer.add(picture(2), Face("b", lesions=(box,), lesion_types=("papule",)))
    written = [(face.lesions, face.lesion_types) for face in writer.finish()]
    assert [(face.lesions, face.lesion_types) for face in FaceSet.load(tmp_path)] == written
    table = parquet.read_table(tmp_path / "manifest.parquet")
    parquet.write_table(table.replace_schema_metadata(None), tmp_path / "manifest.parquet")
    assert [(face.lesions, face.lesion_types) for face in FaceSet.load(tmp_path)] == [
        (None, None),
        written[1],
    ]
