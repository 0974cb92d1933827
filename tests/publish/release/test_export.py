"""The export: a release is complete, synthetic, and contains nothing about the people behind it."""

from __future__ import annotations

import errno
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_audit import audited
from made_up_line import CLASSES, GENERATOR, SECRETS, draw_face, photos
from made_up_release import SHARD_MB, contents, write_release

from anonderm.core.errors import InputError, StorageError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels
from anonderm.core.rundir import RunDir
from anonderm.publish.release import pictures
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.export import export
from anonderm.publish.release.marks import marked_png


@pytest.mark.parametrize("by_builder", [True, False])
def test_the_release_loads_as_a_labelled_data_set(
    release: Path, faces: FaceSet, tmp_path: Path, by_builder: bool
) -> None:
    datasets = pytest.importorskip("datasets")
    cache = str(tmp_path / "cache")
    if by_builder:
        loaded = datasets.load_dataset("imagefolder", data_dir=str(release), cache_dir=cache)
    else:
        loaded = datasets.load_dataset(str(release), cache_dir=cache)
    assert list(loaded) == ["train"]
    rows = loaded["train"]
    assert set(rows.column_names) == {"image", "label", "seed", "psi", "confidence", "generator"}
    by_seed = {row["seed"]: row for row in rows}
    assert len(by_seed) == len(rows) == len(faces)
    for face in faces:
        row = by_seed[face.seed]
        assert (row["label"], row["psi"], row["generator"]) == (face.label, face.psi, GENERATOR)
        assert row["confidence"] == pytest.approx(face.confidence)
        assert np.array_equal(np.asarray(row["image"]), faces.image(face))
    assert set(rows.class_encode_column("label").features["label"].names) == set(CLASSES)


def test_checksums_cover_every_other_file_and_hold(release: Path) -> None:
    files = contents(release)
    lines = files.pop("checksums.sha256").decode().splitlines()
    noted = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    assert noted == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def test_nothing_that_names_people_or_files_is_released(tmp_path: Path, faces: FaceSet) -> None:
    """Even where an earlier stage was careless with the fields that are not released."""
    careless = tuple(
        replace(face, source="IMG_4711.jpg", reason="training-copy: of Jane-Doe-001", mask="person-00.png")
        for face in faces
    )
    release = write_release(tmp_path / "export", FaceSet(faces.folder, careless))
    for name, data in contents(release).items():
        for secret in SECRETS:
            assert secret.encode() not in data, name
            assert secret not in name


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"checkpoint": None}, "no checkpoint"),
        ({"seed": None}, "no checkpoint or seed"),
        ({"subject": "person-00007"}, "belongs to a person"),
        ({"split": "train"}, "belongs to a person or a split"),
        ({"parents": ("Jane-Doe-001",)}, "was made from other images"),
        ({"label": None}, "has no label"),
        ({"id": "../../etc/mild"}, "cannot name a file"),
        ({"label": "../mild"}, "cannot name a file"),
    ],
)
def test_a_face_that_may_be_real_or_escape_the_folder_stops_the_export(
    faces: FaceSet, tmp_path: Path, change: dict[str, Any], expected: str
) -> None:
    changed = replace(faces.faces[7], **change)
    mixed = FaceSet(faces.folder, (*faces.faces[:7], changed, *faces.faces[8:]))
    with pytest.raises(InputError, match=expected) as caught:
        write_release(tmp_path / "export", mixed)
    assert changed.id in str(caught.value)
    assert not (tmp_path / "export" / "release").exists()


def test_real_photos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Jane-Doe-000"):
        write_release(tmp_path / "export", photos(tmp_path / "photos", draw_face))


def test_an_empty_set_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(TooFewImages):
        write_release(tmp_path / "export", FaceSet(faces.folder, ()))


def interrupt_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Ctrl-C while the next picture after so many is marked."""
    calls = 0

    def marked(image_HWC: Pixels) -> bytes:
        nonlocal calls
        calls += 1
        if calls > count:
            raise KeyboardInterrupt
        return marked_png(image_HWC)

    monkeypatch.setattr(pictures, "marked_png", marked)


@pytest.mark.parametrize("formats", [("imagefolder", "coco"), ("parquet",), ("webdataset",), ("stylegan",)])
def test_an_interrupted_export_ends_as_one_that_was_not(
    faces_with_boxes: FaceSet,
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    formats: tuple[str, ...],
) -> None:
    interrupt_after(monkeypatch, 17)
    with pytest.raises(KeyboardInterrupt):
        write_release(tmp_path / "export", faces_with_boxes, formats=formats, shard_mb=SHARD_MB)
    half = tmp_path / "export" / "release"
    before = {path: path.stat().st_mtime_ns for path in half.rglob("*") if path.is_file()}
    assert not (half / "checksums.sha256").exists()

    interrupt_after(monkeypatch, len(faces_with_boxes) - 17)  # no picture is made twice
    write_release(tmp_path / "export", faces_with_boxes, formats=formats, shard_mb=SHARD_MB)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    own = {name: data for name, data in contents(half).items() if "/" in name}
    assert own == {name: data for name, data in contents(whole).items() if name in own}
    assert {path.name for path in (tmp_path / "export").iterdir()} == {
        ".lock",
        "config.toml",
        "log.txt",
        "names.csv",
        "release",
        "run.json",
    }


def test_a_full_disk_is_a_storage_error_with_the_next_step(
    faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with RunDir.open(tmp_path / "export", "export", ExportConfig(), {}) as run:
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageError, match=r"disk is full[\s\S]*run the same command again"):
            export(ExportConfig(), faces, audited(faces), (), (), run)
        monkeypatch.undo()
    assert list((tmp_path / "export").rglob("*.part*")) == []
