"""Single image files as a FaceSet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from anonderm.core.errors import EmptyFolder, MissingPath
from anonderm.core.faceset import FaceSetWriter, pictures
from anonderm.core.images import write_png
from anonderm.core.records import Face
from anonderm.stages import open_artefact


def write(path: Path, value: int = 0) -> None:
    write_png(path, np.full((8, 8, 3), value, np.uint8))


def test_every_image_below_a_folder_is_found_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", "deep/a.png", ".hidden/c.png", ".c.png"):
        write(tmp_path / name, len(name))
    (tmp_path / "notes.txt").write_text("no image")
    found = pictures(tmp_path)
    assert [face.file for face in found] == ["a.PNG", "b.png", "deep/a.png"]
    assert len({face.id for face in found}) == 3
    assert found.image(found.faces[2])[0, 0, 0] == len("deep/a.png")


def test_different_pixels_give_a_different_digest(tmp_path: Path) -> None:
    write(tmp_path / "a.png", 1)
    before = pictures(tmp_path / "a.png").digest
    write(tmp_path / "a.png", 2)
    assert pictures(tmp_path / "a.png").digest != before


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EmptyFolder, match="no image"):
        pictures(tmp_path)
    with pytest.raises(MissingPath):
        pictures(tmp_path / "nowhere.png")


def test_images_can_be_a_faceset_or_single_files(tmp_path: Path) -> None:
    writer = FaceSetWriter(tmp_path / "faces")
    writer.add(np.zeros((8, 8, 3), np.uint8), Face(id="x", label="mild"))
    made = writer.finish()
    assert open_artefact("images", tmp_path / "faces") == made
    loose = open_artefact("images", tmp_path / "faces" / "images")
    assert [face.label for face in loose] == [None]
    with pytest.raises(MissingPath, match="an image, a folder of images"):
        open_artefact("images", tmp_path / "nowhere")
