from __future__ import annotations

import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.errors import ConfigError, InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.reading import read_table
from anonderm.ingest.sources.table import find

HEADER = "Bild;Grad;Patient;Teil;Lizenz"


@pytest.fixture
def clinic(tmp_path, draw):
    """A table with its own names of columns, a BOM, semicolons and Windows paths."""
    lines = [HEADER]
    for n in range(8):
        draw(tmp_path / "photos" / f"Müller {n}.jpg", n)
        part = "Test" if n >= 6 else "valid" if n in (2, 3) else "train"
        lines.append(
            f"photos\\Müller {n}.jpg;{'mild' if n % 2 else 'severe'};P{n // 2};{part};consent {n // 4}"
        )
    (tmp_path / "table.csv").write_bytes(("\r\n".join(lines) + "\n").encode("utf-8-sig"))
    return tmp_path / "table.csv"


NAMES = ("file=Bild", "label=Grad", "subject=Patient", "split=Teil", "licence=Lizenz")


def test_columns_are_those_that_the_settings_name(clinic, ingest):
    done = ingest(clinic, "--columns", *NAMES, "--splits", "given")
    assert done.faces.label_counts == {"mild": 4, "severe": 4}
    assert done.faces.people == 4
    assert done.face("photos/Müller 6.jpg").split == "test"
    assert done.face("photos/Müller 2.jpg").split == "val"
    assert done.faces.licence == "consent 0 AND consent 1"


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_usual_names_of_columns_are_found(tmp_path, draw, ingest, suffix):
    import json

    import pyarrow as pa
    import pyarrow.parquet as parquet

    rows = [{"file_name": f"{n}.jpg", "Severity": "mild", "patient_id": n // 2} for n in range(8)]
    for n in range(8):
        draw(tmp_path / "set" / f"{n}.jpg", n)
    path = tmp_path / "set" / f"table{suffix}"
    if suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)))
    else:
        mark = "," if suffix == ".csv" else "\t"
        path.write_text("\n".join([mark.join(rows[0]), *(mark.join(map(str, row.values())) for row in rows)]))
    done = ingest(path)
    assert done.faces.label_counts == {"mild": 8}
    assert done.faces.people == 4


def test_every_fault_of_a_row_is_listed(clinic):
    with clinic.open("a", encoding="utf-8") as file:
        file.write(
            "photos/gone.jpg;mild;P1;train;x\n../../etc/passwd.jpg;mild;P1;train;x\n;mild;P1;train;x\n"
        )
        file.write("photos/Müller 0.jpg;;P1;train;x\n/etc/x.jpg;mild;P1;train;x\n\n")
        file.write("photos/Müller 1.jpg;mild;P1;elsewhere;x\n")
    found = find(IngestConfig(clinic, columns=NAMES))
    assert len(found.photos) == 8
    assert [(item.file, item.reason) for item in found.skipped] == [
        ("table.csv:10", "names 'photos/gone.jpg', which does not exist"),
        ("table.csv:11", "names '../../etc/passwd.jpg', which does not exist"),
        ("table.csv:12", "names no file"),
        ("photos/Müller 0.jpg", "no label in table.csv:13"),
        ("table.csv:14", "names '/etc/x.jpg', which does not exist"),
        ("photos/Müller 1.jpg", "unknown split 'elsewhere' in table.csv:16"),
    ]
    kinds = Counter(item.kind for item in found.skipped)
    assert kinds == {"photo missing": 4, "label unknown": 1, "split unknown": 1}


def test_names_that_systems_spell_apart_are_the_same_file(tmp_path, draw):
    draw(tmp_path / unicodedata.normalize("NFD", "Zoë.jpg"), 0)
    (tmp_path / "t.csv").write_text("file,label\n" + unicodedata.normalize("NFC", "Zoë.jpg") + ",mild\n")
    (photo,) = find(IngestConfig(tmp_path / "t.csv")).photos
    assert photo.pixels().shape == (40, 40, 3)


def test_a_missing_column_is_named(clinic):
    with pytest.raises(ConfigError, match=r"no column 'file'.*"):
        find(IngestConfig(clinic))
    with pytest.raises(ConfigError, match="no column 'Schwere'"):
        find(IngestConfig(clinic, columns=("file=Bild", "label=Schwere")))


@pytest.mark.parametrize("setting", ["file", "bild=Bild", "file="])
def test_columns_are_written_as_pairs(setting):
    with pytest.raises(ConfigError, match="must be WHAT=COLUMN"):
        IngestConfig("t.csv", columns=(setting,))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.parquet", b"PAR1"),
        ("t.jsonl", b"{"),
        ("t.jsonl", b"[1]"),
        ("t.csv", b"\xff\xfe\x00"),
        ("t.csv", b"\x80"),
    ],
)
def test_a_table_that_cannot_be_read_is_named(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=rf"t\.{name[2:]}"):
        read_table(tmp_path / name)


@given(st.text())
def test_any_csv_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_text(text, encoding="utf-8", errors="replace", newline="")
    try:
        table = read_table(path)
    except InputError:
        return
    assert all(set(row) <= set(table.columns) for _, row in table.rows)
