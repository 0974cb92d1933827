from __future__ import annotations

import csv
import errno
import io
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anonderm.core import documents, files
from anonderm.core.errors import BrokenArtefact, MissingPath, StorageError
from anonderm.core.files import read_csv, read_json_lines, write_csv, write_json_lines


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "weights.bin"
    files.write_text(path, "old")
    with pytest.raises(ZeroDivisionError), files.atomic_path(path) as temporary:
        temporary.write_text("half of the n") / 0
    assert path.read_text() == "old"
    assert names(tmp_path) == ["weights.bin"]


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with files.atomic_path(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


def test_the_temporary_file_keeps_the_suffix(tmp_path):
    with files.atomic_path(tmp_path / "a.png") as temporary:
        temporary.touch()
        assert temporary.suffix == ".png"


@pytest.mark.parametrize(
    ("code", "message"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full"), (errno.EROFS, "no permission")],
)
def test_a_disk_that_cannot_be_written_is_a_storage_error_naming_the_file(
    tmp_path, monkeypatch, code, message
):
    files.write_text(tmp_path / "a.txt", "old")

    def fail(self, data):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(StorageError, match=rf"a\.txt: .*{message}"):
        files.write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_other_errors_are_not_turned_into_storage_errors(tmp_path):
    with pytest.raises(FileNotFoundError), files.storage_errors(tmp_path):
        (tmp_path / "gone").read_bytes()


def test_a_file_in_place_of_a_folder_is_named_in_the_error(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(StorageError, match="out is a file"):
        files.write_text(tmp_path / "out" / "a.txt", "")


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from anonderm.core.errors import StorageError
from anonderm.core.files import append_line
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
try:
    for count in range(100):
        append_line(Path(sys.argv[1]), '{"row": %d}' % count)
except StorageError:
    sys.exit(3)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on file sizes")
def test_a_journal_can_be_continued_after_the_disk_was_full(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert subprocess.run([sys.executable, "-c", FULL_DISK, path], check=False).returncode == 3
    before = files.read_json_lines(path)
    assert path.stat().st_size == 64
    assert not path.read_bytes().endswith(b"\n")
    files.append_line(path, '{"row": -1}')
    assert files.read_json_lines(path) == [*before, {"row": -1}]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.dictionaries(st.text(), st.integers()), min_size=1), st.integers(min_value=1))
def test_a_journal_truncated_anywhere_keeps_its_complete_rows_and_can_be_continued(
    tmp_path_factory, rows, cut
):
    path = tmp_path_factory.mktemp("journal") / "rows.jsonl"
    for row in rows:
        files.append_line(path, json.dumps(row))
    data = path.read_bytes()
    truncated = data[: cut % len(data)]
    path.write_bytes(truncated)
    complete = rows[: truncated.count(b"\n")]
    assert files.read_json_lines(path) == complete
    files.append_line(path, "{}")
    assert files.read_json_lines(path) == [*complete, {}]


def test_a_missing_journal_has_no_rows(tmp_path):
    assert files.read_json_lines(tmp_path / "rows.jsonl") == []


def test_a_journal_with_a_damaged_inner_row_is_named_in_the_error(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"a": 1}\nbroken\n{"a": 2}\n')
    with pytest.raises(BrokenArtefact, match=r"rows\.jsonl"):
        files.read_json_lines(tmp_path / "rows.jsonl")


@pytest.mark.parametrize("row", [b"[1]", b"7", b"[" * 100_000, b'{"kind": 1}', b"9" * 5000, b"\xff"])
def test_a_row_that_is_not_what_the_reader_needs_is_named_with_its_line(tmp_path, row):
    (tmp_path / "rows.jsonl").write_bytes(b'{"step": 1}\n' + row + b"\n")
    with pytest.raises(BrokenArtefact, match=r"rows\.jsonl: line 2 .*\n.*Restore"):
        files.read_json_lines(tmp_path / "rows.jsonl", ("step",))


def test_a_pipe_in_place_of_a_journal_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "rows.jsonl")
    with pytest.raises(BrokenArtefact, match="not a regular file"):
        files.read_json_lines(tmp_path / "rows.jsonl")


def test_json_survives_a_round_trip(tmp_path):
    value = {"Rötung": [1, 2.5, None, "にきび"]}
    files.write_json(tmp_path / "a.json", value)
    assert documents.read_json(tmp_path / "a.json") == value


def test_nan_is_never_written_as_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", float("nan"))
    assert names(tmp_path) == []


def test_missing_or_damaged_json_is_named_in_the_error(tmp_path):
    with pytest.raises(MissingPath, match=r"a\.json"):
        documents.read_json(tmp_path / "a.json")
    (tmp_path / "a.json").write_bytes(b"\xff{")
    with pytest.raises(BrokenArtefact, match=r"a\.json"):
        documents.read_json(tmp_path / "a.json")


def test_a_link_or_copy_has_the_same_bytes_and_outlives_its_source(tmp_path):
    source = tmp_path / "a"
    source.write_bytes(b"face")
    files.link_or_copy(source, tmp_path / "sub" / "b")
    files.write_text(source, "changed")
    assert (tmp_path / "sub" / "b").read_bytes() == b"face"


def test_if_links_are_impossible_the_file_is_copied(tmp_path, monkeypatch):
    def fail(*paths):
        raise OSError(errno.EXDEV, "cross-device link")

    monkeypatch.setattr(os, "link", fail)
    (tmp_path / "a").write_bytes(b"face")
    files.link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"face"
    assert (tmp_path / "b").stat().st_ino != (tmp_path / "a").stat().st_ino


def test_the_digest_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    assert files.sha256_file(tmp_path / "a") == files.sha256_bytes(b"abc") == known


def test_a_csv_file_returns_the_rows_written_to_it(tmp_path):
    rows = [{"file": 'a, "b"\n.jpg', "label": " mild"}, {"file": "写真.jpg", "label": ""}]
    write_csv(tmp_path / "t.csv", ["file", "label"], rows)
    assert read_csv(tmp_path / "t.csv") == rows


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=3))
def test_no_cell_is_a_formula_and_every_cell_comes_back(cells):
    table = {str(number): cell for number, cell in enumerate(cells)}
    with tempfile.TemporaryDirectory() as folder:
        write_csv(Path(folder) / "t.csv", list(table), [table])
        assert read_csv(Path(folder) / "t.csv") == [table]
        text = (Path(folder) / "t.csv").read_bytes().decode()
    _, written = csv.reader(io.StringIO(text, newline=""))
    for cell in written:
        assert not cell.startswith(("=", "@", "\t", "\r", "+", "-")) or float(cell) is not None


@pytest.mark.parametrize("cell", ["=1+1", "+SUM(A1)", "-2+3", "@A1", "\t=1", "\r=1", "'=1", "''@x", "＝1"])
def test_a_formula_is_written_as_text(cell, tmp_path):
    assert files.csv_text(["a"], [{"a": cell}]).startswith(("a\n'", "a\n\"'"))


@pytest.mark.parametrize("cell", [-1, -1.5, "-1.5e-3", "+3", "'90s", "a=b", ""])
def test_numbers_and_other_text_are_written_as_they_are(cell, tmp_path):
    assert next(iter(csv.reader([files.csv_text(["a"], [{"a": cell}]).split("\n")[1]])), [""]) == [str(cell)]


def test_json_lines_return_the_rows_written_to_them(tmp_path):
    rows = [{"file": "写真.jpg", "n": 1}, {"file": "b", "n": None}]
    write_json_lines(tmp_path / "rows.jsonl", rows)
    assert read_json_lines(tmp_path / "rows.jsonl") == rows
