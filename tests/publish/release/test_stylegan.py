"""The archive for NVIDIA's programs, read as their loader reads it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.ingest import ingest
from anonderm.publish.release.pictures import Pictures
from anonderm.publish.release.stylegan import write_stylegan_zip


@pytest.fixture(scope="module")
def archive(whole: Path) -> Path:
    assert "stylegan/dataset.zip" in (whole / "checksums.sha256").read_text(encoding="utf-8")
    return whole / "stylegan" / "dataset.zip"


def test_images_and_labels_are_where_the_loader_expects_them(archive: Path, faces: FaceSet) -> None:
    with zipfile.ZipFile(archive) as opened:
        images = sorted(name for name in opened.namelist() if name.endswith(".png"))
        labels = dict(json.loads(opened.read("dataset.json"))["labels"])
        pixels = [np.array(Image.open(io.BytesIO(opened.read(name)))) for name in images]
    assert images[0] == "00000/img00000000.png"
    np.testing.assert_array_equal(pixels, faces.pixels())
    assert [faces.labels[labels[name]] for name in images] == [face.label for face in faces]


def test_what_was_exported_comes_back_with_its_labels(archive: Path, faces: FaceSet, tmp_path: Path) -> None:
    size = faces.image(faces.faces[0]).shape[0]
    config = IngestConfig(archive, size=size, min_side=8, test_share=0.0, near_duplicates="keep")
    with RunDir.open(tmp_path / "run", "ingest", config, {}) as run:
        back = ingest(config, run)
    assert back.label_counts == faces.label_counts
    for label in faces.labels:
        np.testing.assert_array_equal(back.where(label=label).pixels(), faces.where(label=label).pixels())


def test_the_same_faces_give_the_same_file(faces: FaceSet, archive: Path, tmp_path: Path) -> None:
    list(write_stylegan_zip(Pictures(faces, tmp_path / "pictures"), tmp_path / "again.zip"))
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()


def test_faces_that_are_no_squares_of_one_size_are_refused(tmp_path: Path) -> None:
    writer = FaceSetWriter(tmp_path / "faces")
    writer.add(np.zeros((8, 8, 3), np.uint8), Face("a", label="mild"))
    writer.add(np.zeros((8, 9, 3), np.uint8), Face("b", label="mild"))
    with pytest.raises(InputError, match="face b is 9 x 8"):
        list(write_stylegan_zip(Pictures(writer.finish(), tmp_path / "pictures"), tmp_path / "out.zip"))
    assert not (tmp_path / "out.zip").exists()
