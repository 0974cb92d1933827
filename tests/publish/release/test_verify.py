"""`anonderm verify` finds every change of a release, and names the file."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def deep(levels: int = 100_000) -> str:
    return "[" * levels + "]" * levels


EVIDENCE: dict[str, Callable[[dict[str, Any]], object]] = {
    "verdict of failed rules": lambda e: e["verdicts"]["images"]["rules"][0].update(passed=False),
    "passed without rules": lambda e: e["verdicts"]["images"].update(rules=[]),
    "value beyond its limit": lambda e: e["verdicts"]["images"]["rules"][0].update(value=0),
    "reasons for nothing": lambda e: e["verdicts"]["images"].update(reasons=["none"]),
    "not audited, but passed": lambda e: e["verdicts"].update(images="not_audited"),
    "faults of a passed audit": lambda e: e["decision"].update(faults=["the audit is of another set"]),
    "override by nobody": lambda e: e["decision"].update(
        passed=False, override={"name": " ", "reason": "r", "date": "2026-01-01"}
    ),
    "override on no day": lambda e: e["decision"].update(
        passed=False, faults=["f"], override={"name": "n", "reason": "r", "date": "soon"}
    ),
    "date as a number": lambda e: e["decision"].update(
        override={"name": "n", "reason": "r", "date": 20260101}
    ),
    "decision as text": lambda e: e.update(decision="passed"),
    "verdicts as a list": lambda e: e.update(verdicts=[]),
    "labels as a list": lambda e: e.update(labels=["mild"]),
    "labels as text": lambda e: e.update(labels={"mild": "10"}),
    "faces as text": lambda e: e.update(faces="30"),
    "nothing": lambda e: e.clear(),
    "people in other words": lambda e: e.update(people="all of them"),
}


@pytest.mark.parametrize("name", EVIDENCE)
def test_evidence_that_contradicts_itself_or_has_another_form_is_a_fault(copy: Path, name: str) -> None:
    changed(copy / "evidence.json", EVIDENCE[name])
    seal(copy)
    assert any(each.startswith("evidence.json: ") for each in faults(copy)), faults(copy)


@pytest.mark.parametrize("file", ["evidence.json", "croissant.json"])
@pytest.mark.parametrize(
    "text", ["", "[]", "null", "\x00", deep(), '{"faces": ' + "9" * 5000 + "}", '{"a": "\\ud800"}', "{" * 9]
)
def test_a_document_of_any_text_is_a_fault_not_a_traceback(copy: Path, file: str, text: str) -> None:
    (copy / file).write_text(text, encoding="utf-8")
    seal(copy)
    assert any(each.startswith(f"{file}: ") for each in faults(copy))


CROISSANT: dict[str, Callable[[dict[str, Any]], object]] = {
    "distribution as text": lambda c: c.update(distribution="files"),
    "file as text": lambda c: c["distribution"].append("a file"),
    "address of 5,000 letters": lambda c: c["distribution"][0].update(contentUrl="x" * 5000),
    "address outside": lambda c: c["distribution"][0].update(contentUrl="../../etc/passwd"),
    "address with NUL": lambda c: c["distribution"][0].update(contentUrl="a\x00b"),
    "sum as a number": lambda c: c["distribution"][0].update(sha256=7),
}


@pytest.mark.parametrize("name", CROISSANT)
def test_croissant_of_another_form_is_a_fault(copy: Path, name: str) -> None:
    changed(copy / "croissant.json", CROISSANT[name])
    seal(copy)
    assert any(each.startswith("croissant.json: ") for each in faults(copy))


def tar_with(copy: Path, member: tarfile.TarInfo, data: bytes = b"", **settings: Any) -> str:
    path = copy / "webdataset" / "faces-00000.tar"
    with tarfile.open(path) as archive:
        members = [(each, archive.extractfile(each).read()) for each in archive]  # type: ignore[union-attr]
    with tarfile.open(path, "w", **settings) as archive:
        for each, content in members:
            archive.addfile(each, io.BytesIO(content))
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return "webdataset/faces-00000.tar"


def of_type(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def zip_with(copy: Path, change: Callable[[zipfile.ZipFile], object]) -> str:
    with zipfile.ZipFile(copy / "stylegan" / "dataset.zip", "a") as archive:
        change(archive)
    return "stylegan/dataset.zip"


def encrypted(copy: Path) -> str:
    """The flag of an encrypted member, in both of its headers."""
    path = copy / "stylegan" / "dataset.zip"
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + place] |= 1
    path.write_bytes(data)
    return "stylegan/dataset.zip"


def without_picture(copy: Path) -> str:
    path = copy / "parquet" / "faces-00000.parquet"
    table = parquet.read_table(path)
    rows = table.to_pylist()
    rows[0]["image"] = {"bytes": None, "path": "face.png"}
    parquet.write_table(type(table).from_pylist(rows, schema=table.schema), path)
    return "parquet/faces-00000.parquet"


def with_column(copy: Path) -> str:
    path = copy / "parquet" / "faces-00000.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.append_column("photo", [[b"original"] * len(table)]), path)
    return "parquet/faces-00000.parquet"


ARCHIVES: dict[str, Callable[[Path], str]] = {
    "link to nothing": lambda c: tar_with(c, of_type("00000099.png", tarfile.SYMTYPE, "nowhere")),
    "link outside": lambda c: tar_with(c, of_type("00000099.png", tarfile.SYMTYPE, "/etc/passwd")),
    "hard link": lambda c: tar_with(c, of_type("00000099.png", tarfile.LNKTYPE, "00000000.png")),
    "pipe": lambda c: tar_with(c, of_type("00000099.png", tarfile.FIFOTYPE)),
    "device": lambda c: tar_with(c, of_type("00000099.png", tarfile.CHRTYPE)),
    "another member of a tar": lambda c: tar_with(c, tarfile.TarInfo("photo.jpg"), b"original"),
    "comment of a tar": lambda c: tar_with(
        c,
        tarfile.TarInfo("00000099.json"),
        b"{}",
        format=tarfile.PAX_FORMAT,
        pax_headers={"comment": "Jane Doe"},
    ),
    "another member of a ZIP": lambda c: zip_with(
        c, lambda archive: archive.writestr("photo.jpg", b"original")
    ),
    "comment of a ZIP": lambda c: zip_with(c, lambda archive: setattr(archive, "comment", b"Jane Doe")),
    "encrypted member": encrypted,
    "picture without bytes": without_picture,
    "another column": with_column,
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_with_anything_else_in_it_is_a_fault(copy: Path, name: str) -> None:
    file = ARCHIVES[name](copy)
    seal(copy)
    assert any(each.startswith((f"{file}: ", f"{file}!")) for each in faults(copy)), faults(copy)


def test_a_file_that_no_release_has_is_a_fault_even_if_it_is_listed(copy: Path) -> None:
    (copy / "train" / "photo.jpg").write_bytes(b"original")
    seal(copy)
    assert "train/photo.jpg: is no file of a release" in faults(copy)


def test_a_pipe_is_named_and_never_read(copy: Path) -> None:
    (copy / "LICENSE").unlink()
    os.mkfifo(copy / "LICENSE")
    assert "LICENSE: is a pipe or a device" in faults(copy)
