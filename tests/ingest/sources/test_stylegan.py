from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anonderm.cli import main
from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.stylegan import find, label_of


def png(seed: int, side: int = 32) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def archive(path, count=8, labels=True, **more):
    """As NVIDIA's dataset_tool.py writes it."""
    names = [f"{index // 1000:05d}/img{index:08d}.png" for index in range(count)]
    entries = [[name, index % 2] for index, name in enumerate(names)] + more.pop("stray", [])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as out:
        for index, name in enumerate(names):
            out.writestr(name, png(index))
        for name, data in more.pop("members", {}).items():
            out.writestr(name, data)
        out.writestr("dataset.json", json.dumps({"labels": entries if labels else None, **more}))
    return path


def test_numbers_become_classes_with_the_names_that_the_user_gives(tmp_path, ingest):
    done = ingest(archive(tmp_path / "set.zip"), "--relabel", "0=healthy", "1=rosacea")
    assert done.faces.label_counts == {"healthy": 4, "rosacea": 4}
    first = done.face("00000/img00000000.png")
    assert first.label == "healthy"
    assert first.source == "stylegan"


def test_class_names_in_the_file_are_taken(tmp_path):
    found = find(IngestConfig(archive(tmp_path / "set.zip", class_names=["mild", "severe"])))
    assert [photo.label for photo in found.photos[:2]] == ["mild", "severe"]


def test_a_set_without_labels_takes_the_label_given(tmp_path, ingest):
    done = ingest(archive(tmp_path / "set.zip", labels=False), "--label", "healthy", "--whole")
    assert done.faces.label_counts == {"healthy": 8}
    face = done.face("00000/img00000003.png")
    assert (done.faces.folder / face.file).read_bytes() == png(3)


def test_names_that_lead_out_and_faults_of_the_labels_are_listed(tmp_path, ingest):
    evil = {
        name: png(90 + n) for n, name in enumerate(("../out.png", "/abs.png", "C:\\w.png", "a/../../b.png"))
    }
    others = {"00000/extra.png": png(99), "notes.txt": b"x"}
    stray = [["gone.png", 0], ["00000/extra.png", "x"]]
    path = archive(tmp_path / "set.zip", members={**evil, **others}, stray=stray)
    done = ingest(path)
    assert {
        name: reason for name, reason in done.skipped.items() if "leads out" in reason
    }.keys() == evil.keys()
    assert done.skipped["gone.png"] == "named in dataset.json, but does not exist"
    assert done.skipped["00000/extra.png"] == "its label is not a class in dataset.json"
    assert len(done.faces) == 8
    assert not any((tmp_path / name).exists() for name in ("out.png", "b.png"))


def test_a_damaged_member_is_named_and_left_out_on_request(tmp_path, ingest, capsys):
    path = archive(tmp_path / "set.zip")
    data = bytearray(path.read_bytes())
    data[data.find(b"IDAT") + 20] ^= 255
    path.write_bytes(data)
    assert main(["ingest", "--source", str(path), "--out", str(tmp_path / "e"), "--min-side", "16"]) == 2
    assert "00000/img00000000.png: cannot be unpacked" in capsys.readouterr().err
    assert len(ingest(path, "--skip-unreadable").faces) == 7


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04 no"])
def test_a_file_that_is_not_a_zip_is_named(tmp_path, content):
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(InputError, match=r"set\.zip: not a ZIP"):
        find(IngestConfig(tmp_path / "set.zip"))


@pytest.mark.parametrize("text", ["{", "[1]", '{"labels": 3}', '{"labels": [[1, 2, 3]]}', "\xff"])
def test_labels_that_cannot_be_read_are_named(tmp_path, text):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as out:
        out.writestr("a.png", png(0))
        out.writestr("dataset.json", text.encode("latin-1"))
    with pytest.raises(InputError, match=r"dataset\.json"):
        find(IngestConfig(tmp_path / "set.zip"))


@given(st.integers(0, 9), st.integers(1, 10))
def test_one_hot_vectors_are_classes(index, count):
    vector = [float(position == index) for position in range(count)]
    assert label_of(vector, None) == (str(index) if index < count else None)


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text() | st.integers(), st.lists, max_leaves=5)
)
def test_any_label_is_a_class_or_none(label):
    name = label_of(label, ["a", "b"])
    assert name in ("a", "b", None)
