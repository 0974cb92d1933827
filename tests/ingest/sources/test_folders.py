from __future__ import annotations

import os
from pathlib import Path

import pytest

from anonderm.core.errors import BadLabel, EmptyFolder, MissingPath
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.folders import find


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_photos_are_listed_class_by_class_in_order(tmp_path):
    for name in ("mild/b.JPG", "mild/a.png", "healthy/sub/c.jpeg"):
        touch(tmp_path / name)
    photos = find(IngestConfig(tmp_path)).photos
    assert [(photo.name, photo.label) for photo in photos] == [
        ("healthy/sub/c.jpeg", "healthy"),
        ("mild/a.png", "mild"),
        ("mild/b.JPG", "mild"),
    ]


def test_other_files_are_ignored_and_counted_by_suffix(tmp_path):
    files = ("mild/a.jpg", "mild/Thumbs.db", "mild/.DS_Store", "mild/x.gif", "notes.txt", "mild/.hidden.jpg")
    for name in files:
        touch(tmp_path / name)
    touch(tmp_path / ".git" / "b.jpg")
    listing = find(IngestConfig(tmp_path))
    assert [photo.name for photo in listing.photos] == ["mild/a.jpg"]
    assert listing.ignored == {".txt": 1}
    assert [item.file for item in listing.skipped] == [
        "mild/x.gif"
    ]  # a picture, of a format that is not read


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(MissingPath, match="nowhere: no such folder"):
        find(IngestConfig(tmp_path / "nowhere"))


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    with pytest.raises(MissingPath, match="is a file"):
        find(IngestConfig(touch(tmp_path / "photos.zip")))


def test_an_empty_class_is_named(tmp_path):
    touch(tmp_path / "mild" / "a.jpg")
    touch(tmp_path / "severe" / "readme.txt")
    with pytest.raises(EmptyFolder, match="severe"):
        find(IngestConfig(tmp_path))


def test_photos_without_a_class_folder_are_refused(tmp_path):
    touch(tmp_path / "a.jpg")
    with pytest.raises(EmptyFolder, match="no sub-folder"):
        find(IngestConfig(tmp_path))


def test_a_folder_of_ready_made_splits_is_refused(tmp_path):
    for split in ("train", "Test"):
        touch(tmp_path / split / "a.jpg")
    with pytest.raises(BadLabel, match="splits"):
        find(IngestConfig(tmp_path))


def test_loops_of_links_are_not_followed(tmp_path):
    touch(tmp_path / "mild" / "a.jpg")
    (tmp_path / "mild" / "again").symlink_to(tmp_path / "mild")
    (tmp_path / "back").symlink_to(tmp_path)
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    assert [photo.name for photo in find(IngestConfig(tmp_path)).photos] == ["mild/a.jpg"]


def test_links_that_lead_out_of_the_source_are_listed_and_not_read(tmp_path):
    touch(tmp_path / "archive" / "a.jpg")
    touch(tmp_path / "photos" / "mild" / "b.jpg")
    (tmp_path / "photos" / "severe").symlink_to(tmp_path / "archive")
    (tmp_path / "photos" / "mild" / "c.jpg").symlink_to(tmp_path / "archive" / "a.jpg")
    (tmp_path / "photos" / "mild" / "d.jpg").symlink_to("b.jpg")
    found = find(IngestConfig(tmp_path / "photos"))
    assert [photo.name for photo in found.photos] == ["mild/b.jpg", "mild/d.jpg"]
    assert [item.file for item in found.skipped] == ["mild/c.jpg", "severe"]


def test_class_names_equal_in_unicode_are_refused(tmp_path):
    touch(tmp_path / "R\u00f6te" / "a.jpg")
    touch(tmp_path / "Ro\u0308te" / "b.jpg")
    with pytest.raises(BadLabel, match="two classes of the same name"):
        find(IngestConfig(tmp_path))


def test_a_file_name_that_is_not_text_is_escaped(tmp_path):
    folder = tmp_path / "mild"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.png")).touch()
    assert find(IngestConfig(tmp_path)).photos[0].name == r"mild/\xff.png"
    assert find(IngestConfig(tmp_path)).photos[0].place.read() == b""
