"""The export: what others load is whole, synthetic, and says nothing about the people behind it."""

from __future__ import annotations

import csv
import errno
import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_line import CLASSES, GENERATOR, SECRETS, draw_face, fidelity, photos, synthetic, utility
from PIL import Image

from anonderm.core.errors import InputError, StorageError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Scores
from anonderm.core.rundir import RunDir
from anonderm.publish.config import ExportConfig
from anonderm.publish.export import export


def write(folder: Path, faces: FaceSet, scores: tuple[Scores, ...] = (), **settings: Any) -> Path:
    config = ExportConfig(**settings)
    with RunDir.open(folder, "export", config, {"faces": faces.digest}) as run:
        return export(config, faces, scores, run).parent


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> FaceSet:
    return synthetic(tmp_path_factory.mktemp("faces"), draw_face)


@pytest.fixture(scope="module")
def release(faces: FaceSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    return write(
        folder, faces, (utility(folder.parent / "pictures", draw_face), fidelity()), title="Acne: synthetic"
    )


def contents(release: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(release)): path.read_bytes() for path in release.rglob("*") if path.is_file()
    }


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


def test_every_picture_is_marked_as_synthetic_and_carries_nothing_else(release: Path) -> None:
    pictures = list(release.rglob("*.png"))
    assert len(pictures) == 30
    for path in pictures:
        with Image.open(path) as image:
            image.load()
            assert set(image.info) == {"XML:com.adobe.xmp", "xmp"} or set(image.info) == {"XML:com.adobe.xmp"}
            assert "digitalsourcetype/trainedAlgorithmicMedia" in image.info["XML:com.adobe.xmp"]
            assert not image.getexif()


def test_nothing_that_names_people_or_files_is_released(tmp_path: Path, faces: FaceSet) -> None:
    """Even where an earlier stage was careless with the fields that are not released."""
    careless = tuple(
        replace(face, source="IMG_4711.jpg", reason="training-copy: of Jane-Doe-001", mask="person-00.png")
        for face in faces
    )
    release = write(tmp_path / "export", FaceSet(faces.folder, careless))
    for name, data in contents(release).items():
        for secret in SECRETS:
            assert secret.encode() not in data, name
            assert secret not in name


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"checkpoint": None}, "no checkpoint"),
        ({"seed": None}, "no checkpoint or seed"),
        ({"subject": "person-00007"}, "belongs to a person"),
        ({"split": "train"}, "belongs to a person or a split"),
        ({"parents": ("Jane-Doe-001",)}, "was made from other pictures"),
        ({"label": None}, "has no label"),
        ({"id": "../../etc/mild"}, "cannot name a file"),
        ({"label": "../mild"}, "cannot name a file"),
    ],
)
def test_a_face_that_may_be_real_or_escape_the_folder_stops_the_export(
    faces: FaceSet, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    changed = replace(faces.faces[7], **change)
    mixed = FaceSet(faces.folder, (*faces.faces[:7], changed, *faces.faces[8:]))
    with pytest.raises(InputError, match=said) as caught:
        write(tmp_path / "export", mixed)
    assert changed.id in str(caught.value)
    assert not (tmp_path / "export" / "release").exists()


def test_real_photos_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Jane-Doe-000"):
        write(tmp_path / "export", photos(tmp_path / "photos", draw_face))


def test_an_empty_set_is_refused(faces: FaceSet, tmp_path: Path) -> None:
    with pytest.raises(TooFewImages):
        write(tmp_path / "export", FaceSet(faces.folder, ()))


def test_an_interrupted_export_ends_as_one_that_was_not(
    faces: FaceSet, release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = FaceSet.image
    calls = 0

    def interrupted(self: FaceSet, face: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 11:
            raise KeyboardInterrupt
        return read(self, face)

    monkeypatch.setattr(FaceSet, "image", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "export", faces, title="Acne: synthetic")
    half = tmp_path / "export" / "release"
    assert len(list(half.rglob("*.png"))) == 10
    assert not (half / "checksums.sha256").exists()

    before = {path: path.stat().st_mtime_ns for path in half.rglob("*.png")}
    write(tmp_path / "export", faces, title="Acne: synthetic")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    pictures = {name: data for name, data in contents(release).items() if name.startswith("train/")}
    assert {name: data for name, data in contents(half).items() if name.startswith("train/")} == pictures


def test_a_full_disk_is_a_storage_error_that_says_how_to_go_on(
    faces: FaceSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with RunDir.open(tmp_path / "export", "export", ExportConfig(), {}) as run:
        monkeypatch.setattr(Path, "write_bytes", full)
        with pytest.raises(StorageError, match=r"disk is full[\s\S]*run the same command again"):
            export(ExportConfig(), faces, (), run)
        monkeypatch.undo()
    assert list((tmp_path / "export").rglob("*.part*")) == []


def test_the_licence_of_the_photos_is_handed_on(faces: FaceSet, tmp_path: Path) -> None:
    two = FaceSet(faces.folder, (replace(faces.faces[0], licence="CC0-1.0"), *faces.faces[1:]))
    none = FaceSet(faces.folder, tuple(replace(face, licence="") for face in faces))
    releases = {
        "CC-BY-4.0": write(tmp_path / "one", faces),
        "CC-BY-4.0 AND CC0-1.0": write(tmp_path / "two", two),
        "No licence was stated": write(tmp_path / "none", none),
        "Only for teaching": write(tmp_path / "given", faces, licence="Only for teaching"),
    }
    for licence, release in releases.items():
        assert licence in (release / "LICENSE").read_text(encoding="utf-8")
        assert licence in (release / "README.md").read_text(encoding="utf-8")


def front_matter(release: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    _, matter, _ = (release / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(matter)


def test_the_card_has_front_matter_that_the_hub_reads(release: Path, faces: FaceSet, tmp_path: Path) -> None:
    matter = front_matter(release)
    assert matter["license"] == "cc-by-4.0"
    assert matter["pretty_name"] == "Acne: synthetic"
    assert matter["task_categories"] == ["image-classification"]
    assert {"synthetic", "dermatology"} <= set(matter["tags"])
    assert matter["size_categories"] == ["n<1K"]
    own = front_matter(write(tmp_path / "own", faces, licence='Terms: "ask us"', title='A "title": x'))
    assert (own["license"], own["license_name"]) == ("other", 'Terms: "ask us"')
    assert own["pretty_name"] == 'A "title": x'


def test_the_card_states_the_numbers_with_their_intervals(release: Path) -> None:
    card = (release / "README.md").read_text(encoding="utf-8")
    assert "trained on synthetic faces only | 0.81 | 0.73 to 0.89 | 90 |" in card
    assert "(the floor) | 0.003 | 0.0024 to 0.0036 | 300 |" in card
    assert "evidence, not a guarantee" in card
    assert "| mild | 10 |" in card


def test_without_scores_the_card_says_that_nothing_is_shown(faces: FaceSet, tmp_path: Path) -> None:
    card = (write(tmp_path / "export", faces) / "README.md").read_text(encoding="utf-8")
    assert "No scores were given" in card


def test_a_column_that_nobody_fills_is_left_out(faces: FaceSet, tmp_path: Path) -> None:
    unsorted = FaceSet(faces.folder, tuple(replace(face, confidence=None) for face in faces))
    with (write(tmp_path / "export", unsorted) / "train" / "metadata.csv").open(encoding="utf-8") as file:
        assert "confidence" not in next(csv.reader(file))
