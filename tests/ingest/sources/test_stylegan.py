from __future__ import annotations

import io
import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anonderm.cli import main
from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.layouts import find_photos, recognise
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


def packed(path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as out:
        for name, data in members.items():
            out.writestr(name, data)
    return path


def as_folder(path, members: dict[str, bytes]):
    for name, data in members.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def labels_of(source) -> dict[str, str | None]:
    name, found = find_photos(IngestConfig(source))
    assert name == "stylegan"
    return {photo.name: photo.label for photo in found.photos}


PICTURES = {f"00000/img0000000{n}.png": png(n) for n in range(3)}


def with_json(labels, **more) -> dict[str, bytes]:
    entries = [[name, label] for name, label in zip(PICTURES, labels, strict=True)]
    return PICTURES | {"dataset.json": json.dumps({"labels": entries} | more).encode()}


@pytest.mark.parametrize("write", [packed, as_folder])
@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ((0.0, 1.0, 2.0), ("0", "1", "2")),
        (("0", "1", "2.0"), ("0", "1", "2")),
        (([0], [1], [2]), ("0", "1", "2")),
        (([1, 0, 0], [0.0, 1.0, 0.0], [0, 0, 1]), ("0", "1", "2")),
        (("mild", "severe", "mild"), ("mild", "severe", "mild")),
        ((None, None, None), (None, None, None)),
    ],
)
def test_labels_are_classes_however_they_are_written(tmp_path, write, labels, classes):
    assert tuple(labels_of(write(tmp_path / "set.zip", with_json(labels))).values()) == classes


@pytest.mark.parametrize("write", [packed, as_folder])
@pytest.mark.parametrize("folder", ["", "acne/", "download/acne/"])
def test_the_set_may_lie_in_a_folder(tmp_path, write, folder):
    members = {f"{folder}{name}": data for name, data in with_json((0, 1, 1)).items()}
    assert list(labels_of(write(tmp_path / "set.zip", members)).values()) == ["0", "1", "1"]


@pytest.mark.parametrize("write", [packed, as_folder])
def test_labels_and_pictures_may_lie_in_different_folders(tmp_path, write):
    text = with_json((0, 1, 1))["dataset.json"]
    members = {f"images/{name}": data for name, data in PICTURES.items()} | {"meta/dataset.json": text}
    assert list(labels_of(write(tmp_path / "set.zip", members)).values()) == ["0", "1", "1"]


@pytest.mark.parametrize("write", [packed, as_folder])
def test_every_part_of_a_set_has_its_own_labels(tmp_path, write):
    parts = {"train/": (0, 1, 1), "test/": (1, 0, 0)}
    members = {
        f"{part}{name}": data for part, each in parts.items() for name, data in with_json(each).items()
    }
    found = labels_of(write(tmp_path / "set.zip", members))
    assert [found[f"train/{name}"] for name in PICTURES] == ["0", "1", "1"]
    assert [found[f"test/{name}"] for name in PICTURES] == ["1", "0", "0"]


@pytest.mark.parametrize("written", ["./{}", "{}", "acne/{}", "00000\\{}", "{}.PNG"])
def test_files_are_found_however_they_are_named(tmp_path, written):
    entries = [[written.format(f"IMG0000000{n}").replace(".PNG", ".png"), n % 2] for n in range(3)]
    members = PICTURES | {"dataset.json": json.dumps({"labels": dict(entries)}).encode()}
    assert list(labels_of(packed(tmp_path / "set.zip", members)).values()) == ["0", "1", "0"]


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (("mild/a.png", "severe/b.png"), ("mild", "severe")),
        (("mild\\a.png", "severe\\b.png"), ("mild", "severe")),
        (("acne/mild/a.png", "acne/severe/b.png"), ("mild", "severe")),
        (("train/mild/a.png", "test/severe/b.png"), ("severe", "mild")),
        (("set/train/mild/P1/a.png", "set/valid/severe/P2/b.png"), ("mild", "severe")),
        (("mild/P1/a.png", "severe/P2/x/b.png"), ("mild", "severe")),
        (("a.png", "b.png"), (None, None)),
        (("faces/a.png", "faces/b.png"), (None, None)),
        (("00000/a.png", "00001/b.png"), (None, None)),
        (("mild/a.png", "mild/b.png", "__MACOSX/mild/._a.png", "mild/.DS_Store"), ("mild", "mild")),
    ],
)
def test_without_labels_the_folders_of_a_zip_are_the_classes(tmp_path, names, classes):
    members = {name: png(n) for n, name in enumerate(names)}
    assert tuple(labels_of(packed(tmp_path / "faces.zip", members)).values()) == classes


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("metadata.csv", b"file_name,label\na.png,mild\n"),
        ("instances.json", b'{"images": [{"file_name": "a.png"}], "annotations": []}'),
        ("labels/a.txt", b"0 0.5 0.5 0.1 0.1\n"),
        ("a.xml", b"<annotation/>"),
    ],
)
def test_other_labels_in_a_zip_are_named_and_never_passed_over(tmp_path, name, data):
    path = packed(tmp_path / "faces.zip", {"images/a.png": png(0), "images/b.png": png(1), name: data})
    with pytest.raises(InputError, match=name) as caught:
        find_photos(IngestConfig(path))
    assert "unzip faces.zip" in caught.value.hint


def test_a_readme_in_a_zip_is_no_label(tmp_path):
    members = {"mild/a.png": png(0), "severe/b.png": png(1), "README.txt": b"Acne.", "LICENSE": b"CC0"}
    assert list(labels_of(packed(tmp_path / "faces.zip", members)).values()) == ["mild", "severe"]


def test_an_encrypted_zip_and_an_unknown_method_are_named(tmp_path):
    path = packed(tmp_path / "faces.zip", {"mild/a.png": png(0), "severe/b.png": png(1)})
    plain = path.read_bytes()
    for offset, value, says in ((0, 1, "is encrypted"), (2, 9, "is compressed by method 9")):
        data = bytearray(plain)
        for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            start = data.find(signature)
            while start >= 0:
                data[start + flags + offset] = value
                start = data.find(signature, start + 1)
        path.write_bytes(data)
        with pytest.raises(InputError, match=rf"faces\.zip: mild/a\.png {says}") as caught:
            find(IngestConfig(path))
        assert "Unpack it" in caught.value.hint


def test_a_small_zip_with_huge_labels_is_refused_before_it_is_unpacked(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        out.writestr("a.png", png(0))
        with out.open("dataset.json", "w") as file:
            for _ in range(80):
                file.write(b" " * (1 << 20))
    tracemalloc.start()
    with pytest.raises(InputError, match="more than 64 MB, the limit"):
        find(IngestConfig(path))
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_a_coco_file_called_dataset_json_is_read_as_coco(tmp_path):
    content = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}
    as_folder(tmp_path / "set", {"a.png": png(0), "dataset.json": json.dumps(content).encode()})
    assert recognise(IngestConfig(tmp_path / "set"))[0] == "coco"


@pytest.mark.parametrize("name", ["faces.zip", "download/faces.zip", "faces.tar.gz"])
def test_a_folder_of_archives_is_named(tmp_path, name):
    as_folder(tmp_path / "set", {name: b"PK", "README.txt": b"x"})
    with pytest.raises(InputError, match=name) as caught:
        recognise(IngestConfig(tmp_path / "set"))
    assert "Unpack" in caught.value.hint
