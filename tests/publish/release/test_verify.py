"""`anonderm verify` finds every change of a release, and names the file."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
import pytest
from PIL import Image

from anonderm.cli import main
from anonderm.core.errors import MissingPath
from anonderm.core.files import sha256_file
from anonderm.publish.release.verify.command import verify


def faults(release: Path) -> set[str]:
    return {f"{fault.file}: {fault.what}" for check in verify(release) for fault in check.faults}


def seal(release: Path) -> None:
    """Write the checksums anew, as somebody who changes a release would."""
    files = sorted(path for path in release.rglob("*") if path.is_file() and path.name != "checksums.sha256")
    lines = [f"{sha256_file(path)}  {path.relative_to(release).as_posix()}\n" for path in files]
    (release / "checksums.sha256").write_text("".join(lines), encoding="utf-8")


def plain_png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def copy(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "release"))


def test_a_complete_release_has_no_fault_and_the_command_succeeds(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(whole)]) == 0
    shown = capsys.readouterr().out
    for name in (
        "checksums",
        "train/",
        "parquet/",
        "webdataset/",
        "stylegan/",
        "card",
        "croissant",
        "evidence",
    ):
        assert name in shown


def test_the_run_folder_of_an_export_is_accepted_too(whole: Path) -> None:
    assert verify(whole.parent) == verify(whole)


def test_the_command_fails_and_names_every_fault(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy / "LICENSE").unlink()
    (copy / "notes.txt").write_text("for Jane")
    assert main(["verify", str(copy)]) == 1
    shown = capsys.readouterr().out.splitlines()
    assert "LICENSE: is missing" in shown
    assert "notes.txt: is not listed in checksums.sha256" in shown


def test_missing_changed_and_extra_files_are_distinguished(copy: Path) -> None:
    (copy / "train" / "healthy" / "face-00001.png").unlink()
    (copy / "README.md").write_text((copy / "README.md").read_text() + "\nMore.\n")
    (copy / "parquet" / "faces-00099.parquet").symlink_to(copy / "parquet" / "faces-00000.parquet")
    found = faults(copy)
    assert "train/healthy/face-00001.png: is missing" in found
    assert "train/: contains 29 pictures; evidence.json states 30" in found
    assert "README.md: was changed" in found
    assert "parquet/faces-00099.parquet: is a symbolic link" in found


def unmark_folder(release: Path) -> str:
    (release / "train" / "healthy" / "face-00001.png").write_bytes(plain_png())
    return "train/healthy/face-00001.png"


def unmark_parquet(release: Path) -> str:
    path = release / "parquet" / "faces-00001.parquet"
    table = parquet.read_table(path)
    rows = table.to_pylist()
    rows[2]["image"]["bytes"] = plain_png()
    parquet.write_table(type(table).from_pylist(rows, schema=table.schema), path)
    return f"parquet/faces-00001.parquet!{rows[2]['image']['path']}"


def unmark_tar(release: Path) -> str:
    path = release / "webdataset" / "faces-00000.tar"
    with tarfile.open(path) as archive:
        members = [(member, archive.extractfile(member).read()) for member in archive]  # type: ignore[union-attr]
    with tarfile.open(path, "w") as archive:
        for member, data in members:
            replaced = plain_png() if member.name == "00000003.png" else data
            member.size = len(replaced)
            archive.addfile(member, io.BytesIO(replaced))
    return "webdataset/faces-00000.tar!00000003.png"


def unmark_zip(release: Path) -> str:
    path = release / "stylegan" / "dataset.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, plain_png() if name.endswith("img00000004.png") else data)
    return "stylegan/dataset.zip!00000/img00000004.png"


@pytest.mark.parametrize("unmark", [unmark_folder, unmark_parquet, unmark_tar, unmark_zip])
def test_one_picture_without_its_mark_is_found_in_every_format(
    copy: Path, unmark: Callable[[Path], str]
) -> None:
    where = unmark(copy)
    seal(copy)
    found = faults(copy)
    assert f"{where}: is not marked as made by a trained algorithm" in found
    assert {each for each in found if "croissant.json" not in each} == {
        f"{where}: is not marked as made by a trained algorithm"
    }


@pytest.mark.parametrize(
    "file", ["parquet/faces-00000.parquet", "webdataset/faces-00000.tar", "stylegan/dataset.zip"]
)
def test_a_broken_archive_is_named(copy: Path, file: str) -> None:
    (copy / file).write_bytes((copy / file).read_bytes()[:700])
    seal(copy)
    assert any(each.startswith((f"{file}: cannot be read", f"{file}!")) for each in faults(copy))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        ("README.md", "## Uses", "## Us", "README.md: has no section 'Uses'"),
        ("README.md", "| mild | 10 |", "| mild | 11 |", "README.md: does not state that 10 faces are mild"),
        (
            "README.md",
            "## Limits",
            "/home/jane\n## Limits",
            "README.md: contains a local path",
        ),
        ("croissant.json", "rai:dataBiases", "rai:data", "croissant.json: has no rai:dataBiases"),
        ("croissant.json", '"sha256": "', '"sha256": "0', "croissant.json: has the wrong sha256"),
        (
            "croissant.json",
            '"@type": "sc:Dataset"',
            '"@type": "sc:Data"',
            "croissant.json: is rejected by mlcroissant",
        ),
        ("croissant.json", "{", "[", "croissant.json: cannot be read"),
        (
            "evidence.json",
            '"passed": true',
            '"passed": false',
            "evidence.json: states that the audit did",
        ),
        (
            "evidence.json",
            '"faces": 30',
            '"faces": 31',
            "train/: contains 30 pictures; evidence.json states 31",
        ),
        ("evidence.html", "from the audit of the set", "from", ""),
    ],
)
def test_incomplete_or_inconsistent_documents_are_found(
    copy: Path, file: str, old: str, new: str, expected: str
) -> None:
    if "mlcroissant" in expected:
        pytest.importorskip("mlcroissant")
    edit(copy / file, old, new)
    seal(copy)
    found = faults(copy)
    assert any(each.startswith(expected) for each in found) if expected else found == set()


def test_evidence_about_another_set_is_found(copy: Path) -> None:
    digest = json.loads((copy / "evidence.json").read_text())["faces_digest"]
    edit(copy / "evidence.html", digest, digest[::-1])
    assert "evidence.html: is about another set than evidence.json" in faults(copy)


def test_a_folder_that_is_no_release_has_faults_and_a_missing_one_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert any("this is no release" in each for each in faults(tmp_path / "empty"))
    with pytest.raises(MissingPath, match="nowhere"):
        verify(tmp_path / "nowhere")
