"""A folder of photos without classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anonderm.core.images import write_png
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.layouts import find_photos


def folder(tmp_path: Path, *names: str) -> Path:
    for name in names:
        write_png(tmp_path / name, np.full((70, 70, 3), len(name), np.uint8))
    return tmp_path


def test_loose_photos_need_no_classes(tmp_path: Path) -> None:
    source = folder(tmp_path, "b.png", "a.png", ".hidden.png")
    (source / "notes.txt").write_text("seen on Monday", encoding="utf-8")
    layout, found = find_photos(IngestConfig(source))
    assert layout == "flat"
    assert [(photo.name, photo.label) for photo in found.photos] == [("a.png", None), ("b.png", None)]
    assert found.ignored == {".txt": 1}


def test_one_label_may_be_given_to_all_of_them(tmp_path: Path) -> None:
    _, found = find_photos(IngestConfig(folder(tmp_path, "a.png", "b.png"), label="rosacea"))
    assert {photo.label for photo in found.photos} == {"rosacea"}


def test_photos_beside_class_folders_are_no_set_of_their_own(tmp_path: Path) -> None:
    source = folder(tmp_path, "loose.png", "mild/a.png")
    layout, found = find_photos(IngestConfig(source))
    assert layout == "folders"
    assert [photo.name for photo in found.photos] == ["mild/a.png"]
    assert found.ignored == {".png": 1}
