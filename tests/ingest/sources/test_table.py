from __future__ import annotations

import csv
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.errors import AnondermError, ConfigError, InputError
from anonderm.core.files import read_csv
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.layouts import recognise
from anonderm.ingest.sources.table import find
from anonderm.ingest.sources.table_files import read_table

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


@pytest.fixture
def faces(tmp_path, draw):
    """Six photos in a sub-folder; writes a table beside them and reads it: name -> label, or a fact."""
    for n in range(6):
        draw(tmp_path / "faces" / f"a{n}.jpg", n)

    def read(text: str | bytes, name: str = "table.csv", fact: str = "label", **settings):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / name).write_bytes(data)
        found = find(IngestConfig(tmp_path / name, **settings))
        return {photo.name.removeprefix("faces/"): getattr(photo, fact) for photo in found.photos}

    return read


@pytest.mark.parametrize(
    "written",
    [
        "a{}",
        "a{}.jpg",
        "A{}.JPG",
        "a{}.png",
        "/kaggle/input/acne/faces/a{}.jpg",
        "D:\\data\\acne\\a{}.jpg",
        "./faces/a{}.jpg",
        "file:///home/x/faces/a{}.jpg",
        "https://example.org/faces/a{}.jpg",
        "https://example.org/a{}.jpg?alt=media",
        "/data/local-files/?d=a{}.jpg",
        "faces%2Fa{}.jpg",
    ],
)
def test_photos_are_found_however_they_are_named(faces, written):
    rows = [f"{written.format(n)},{'mild' if n % 2 else 'severe'}" for n in range(6)]
    assert faces("\n".join(["image,label", *rows])) == {
        f"a{n}.jpg": "mild" if n % 2 else "severe" for n in range(6)
    }


PLAIN = "file,label\na0.jpg,mild\na1.jpg,severe\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", ";").replace("\n", "\r\n"),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace(",", "|"),
        "sep=;\r\n" + PLAIN.replace(",", ";"),
        "SEP=\t\n" + PLAIN.replace(",", "\t"),
        '"sep=,"\n' + PLAIN,
        "\n\n" + PLAIN.replace("\n", "\n\n"),
        PLAIN.replace("\n", ",,\n"),
        PLAIN.replace("\n", ", ,\n", 1),
        ",file,label\n0,a0.jpg,mild\n1,a1.jpg,severe\n",
        '"file","label"\n"a0.jpg","mild"\n"a1.jpg","severe"\n',
        '"file,label"\n"a0.jpg,mild"\n"a1.jpg,severe"\n',
        'file, label, note\na0.jpg, mild, "left, cheek"\na1.jpg, severe, "5"" scar"\n',
        'file,note,label\na0.jpg,"two\nlines",mild\na1.jpg,5" scar,severe\n',
        "file;label;score\na0.jpg;mild;0,5\na1.jpg;severe;1,25\n",
        "file,label,note,note\na0.jpg,mild,x,y\na1.jpg,severe,x,y\n",
        "file,label,fold\na0.jpg,mild,0\na1.jpg,severe,1\n",
        "meta.file,meta.label\na0.jpg,mild\na1.jpg,severe\n",
    ],
)
def test_csv_is_read_as_programs_write_it(faces, text):
    assert faces(text) == {"a0.jpg": "mild", "a1.jpg": "severe"}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (("1", "1.0", "1.00"), "1"),
        (("1,0", "1", "1"), "1"),
        (("True", "TRUE", "true"), "True"),
        (("02", "02", "02"), "02"),
        (("none", "none", "none"), "none"),
        (("1.5", "1.5", "1.5"), "1.5"),
    ],
)
def test_labels_that_are_the_same_are_one_class(faces, written, expected):
    text = "file;label\n" + "".join(f"a{n}.jpg;{label}\n" for n, label in enumerate(written))
    assert set(faces(text).values()) == {expected}


@pytest.mark.parametrize("word", ["", "nan", "NaN", "#N/A", "null", "<NA>"])
def test_an_empty_label_is_no_class(faces, word):
    assert faces(f"file,label\na0.jpg,mild\na1.jpg,{word}\n") == {"a0.jpg": "mild"}


@pytest.mark.parametrize("form", ["json", "jsonl", "ndjson", "parquet"])
def test_numbers_and_truth_values_of_other_tables_are_the_same_classes(faces, tmp_path, form):
    import json

    import pyarrow as pa
    import pyarrow.parquet as parquet

    for label, expected in ((1, "1"), (1.0, "1"), (True, "True"), (0.5, "0.5")):
        rows = [{"filepath": "a0", "diagnosis": label}]
        if form == "parquet":
            path = tmp_path / "raw.parquet"
            parquet.write_table(pa.Table.from_pylist(rows), path)
            data = path.read_bytes()
        else:
            data = json.dumps(rows if form == "json" else rows[0]).encode()
        assert faces(data, f"t.{form}") == {"a0.jpg": expected}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("file,label\na0.jpg,mild\na1.jpg,mild,left\n", r"table\.csv:3: 3 cells, .* 2 columns"),
        ('file,label\na0.jpg,"mild\na1.jpg,severe\n', r"table\.csv:3: not a line of CSV"),
        ("file,label,label\na0.jpg,mild,severe\n", r"2 columns could be the label: label, label"),
        ("file,label,Label\na0.jpg,mild,severe\n", r"2 columns could be the label: label, Label"),
        ("a0.jpg,mild\na1.jpg,severe\n", r"no column 'file'"),
        ("", r"no column 'file'"),
        (PLAIN.encode("utf-16-le"), r"table\.csv: not text in UTF-8"),
        ("file,label\na0.jpg,schön\n".encode("latin-1"), r"table\.csv: not UTF-8"),
    ],
)
def test_a_table_that_could_be_misread_is_refused(faces, text, says):
    with pytest.raises(AnondermError, match=says):
        faces(text)


def test_a_short_row_has_no_label_and_is_listed_with_its_line(faces, tmp_path):
    faces("file,label\na0.jpg,mild\na1.jpg\n")
    (skip, *_) = find(IngestConfig(tmp_path / "table.csv")).skipped
    assert skip.reason == "no label in table.csv:3"


@pytest.mark.parametrize("written", ["7", "7.0", "07", "0007.jpg"])
def test_zeros_that_a_spreadsheet_has_cut_off_are_found(tmp_path, draw, faces, written):
    draw(tmp_path / "faces" / "0007.jpg", 9)
    draw(tmp_path / "faces" / "0017.jpg", 10)
    assert faces(f"image_id,label\n{written},mild\n") == {"0007.jpg": "mild"}
    draw(tmp_path / "faces" / "007.jpg", 11)
    assert set(faces(f"image_id,label\n{written},mild\n")) <= {"0007.jpg"}


@pytest.mark.parametrize(
    "content",
    [
        {"a0.jpg": "mild", "a1.jpg": "severe"},
        {"a0.jpg": {"label": "mild"}, "a1.jpg": {"label": "severe"}},
        {"file": {"0": "a0.jpg", "1": "a1.jpg"}, "label": {"0": "mild", "1": "severe"}},
        [{"file": "a0.jpg", "label": "mild"}, {"file": "a1.jpg", "label": "severe"}],
    ],
)
def test_json_tables_are_read(faces, content):
    import json

    assert faces(json.dumps(content), "t.json") == {"a0.jpg": "mild", "a1.jpg": "severe"}


@pytest.mark.parametrize("content", ["3", "{}", '{"images": [], "annotations": []}', "[3]"])
def test_json_that_is_no_table_is_named(faces, content):
    with pytest.raises(AnondermError, match=r"t\.json"):
        faces(content, "t.json")


def test_our_own_list_of_sources_is_a_table(faces, tmp_path, draw):
    from anonderm.core.files import csv_text

    draw(tmp_path / "faces" / "=b.jpg", 9)
    text = csv_text(("id", "file", "label"), [{"id": "mild-00000", "file": "faces/=b.jpg", "label": "mild"}])
    assert faces(text) == {"=b.jpg": "mild"}


def test_a_list_of_labels_names_types_of_lesions(faces):
    lines = '{"file": "a0.jpg", "labels": ["papule", "comedone"]}\n{"file": "a1.jpg", "labels": []}\n'
    assert faces(lines, "t.jsonl", "lesion_types") == {"a0.jpg": ("comedone", "papule"), "a1.jpg": ()}
    assert faces(lines, "t.jsonl") == {"a0.jpg": None, "a1.jpg": None}


def test_a_list_with_a_label_that_is_no_class_leaves_the_types_unknown(faces, tmp_path):
    lines = '{"file": "a0.jpg", "labels": ["papule", null]}\n{"file": "a1.jpg", "labels": ["papule"]}\n'
    assert faces(lines, "t.jsonl", "lesion_types") == {"a0.jpg": None, "a1.jpg": ("papule",)}
    assert find(IngestConfig(tmp_path / "t.jsonl")).skipped[0].file == "faces/a0.jpg"


@pytest.mark.parametrize(
    "lesions",
    ['"labels": ["papule"]', '"labels": []', '"objects": {"bbox": [[1, 2, 3, 4]], "category": ["papule"]}'],
)
def test_lesions_of_several_photos_together_are_unknown_for_each(faces, tmp_path, lesions):
    line = f'{{"file": ["a0.jpg", "a1.jpg"], {lesions}}}\n'
    for fact in ("lesions", "lesion_types"):
        assert faces(line, "t.jsonl", fact) == {"a0.jpg": None, "a1.jpg": None}
    listed = [item.file for item in find(IngestConfig(tmp_path / "t.jsonl")).skipped]
    assert listed[:2] == ["faces/a0.jpg", "faces/a1.jpg"]


def test_rows_with_other_boxes_for_one_photo_leave_them_unknown(faces, tmp_path):
    row = '{"file": "a0.jpg", "objects": {"bbox": [[%d, 2, 3, 4]], "category": ["papule"]}}\n'
    assert len(faces(row % 1 + row % 1, "t.jsonl", "lesions")["a0.jpg"]) == 1
    assert faces(row % 1 + row % 9, "t.jsonl", "lesions") == {"a0.jpg": None}


def test_photos_of_one_row_count_as_one_person(faces):
    found = faces('{"file": ["a0.jpg", "a1.jpg"], "label": "mild"}\n', "t.jsonl", "original")
    assert found == {"a0.jpg": "t.jsonl:1", "a1.jpg": "t.jsonl:1"}
    assert faces('{"file": {"path": "a0.jpg"}, "label": 2.0}\n', "t.jsonl") == {"a0.jpg": "2"}


BOXES = [
    {"objects": {"bbox": [[4, 8, 10, 20]], "category": ["papule"]}},
    {"objects": [{"bbox": ["4", 8.0, 10, 20], "category": "papule"}]},
    {"annotations": [{"bbox": [4, 8, 10, 20], "category_id": 3, "name": "papule"}]},
    {"bbox": [[4, 8, 10, 20]], "category": ["papule"]},
    {"objects": '{"bbox": [[4, 8, 10, 20]], "categories": ["papule"]}'},
]


@pytest.mark.parametrize("row", BOXES)
def test_boxes_in_a_table_are_read(faces, row):
    import json

    (lesions,) = faces(json.dumps({"file": "a0.jpg"} | row), "t.jsonl", "lesions").values()
    assert [(each.kind, each.x0, each.y0, each.x1, each.y1) for each in lesions] == [("papule", 4, 8, 14, 28)]


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        ([], ()),
        ({"bbox": [], "categories": []}, ()),
        (None, None),
        ("", None),
        ("?", None),
        ({"bbox": [[1, 2, 3, 4]], "categories": []}, None),
        ({"bbox": [[1, 2, 3, 4]], "categories": ["a", "b"]}, None),
        ({"bbox": [[1, 2, 3, 4], [1, 2]], "categories": ["a", "b"]}, None),
        ([{"bbox": [1, 2, 3, 4]}], None),
        ([{"bbox": [1, 2, 3, 4], "category": "a"}, 3], None),
    ],
)
def test_only_an_empty_list_of_objects_means_no_lesion(faces, tmp_path, objects, expected):
    import json

    assert faces(json.dumps({"file": "a0.jpg", "objects": objects}), "t.jsonl", "lesions") == {
        "a0.jpg": expected
    }
    listed = [item.kind for item in find(IngestConfig(tmp_path / "t.jsonl")).skipped]
    assert ("box unusable" in listed) == (expected is None and objects not in (None, ""))


@pytest.mark.parametrize(
    ("name", "says"), [("t.xlsx", "Save it as CSV"), ("t.ods", "Save it as CSV"), ("t.tar.gz", "Unpack it")]
)
def test_files_that_another_program_has_to_open_are_named(tmp_path, name, says):
    (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(InputError, match=name) as caught:
        recognise(IngestConfig(tmp_path / name))
    assert says in caught.value.hint


def test_names_that_a_spreadsheet_would_run_are_text_in_our_tables(tmp_path, draw, ingest):
    for n, name in enumerate(names := ["=cmd.jpg", "+a.jpg", "-b.jpg", "@c.jpg"]):
        draw(tmp_path / "set" / name, n)
    rows = [f"{name};mild;@author {n}" for n, name in enumerate(names)]
    (tmp_path / "set" / "t.csv").write_text("\n".join(["file;label;credit", *rows]))
    done = ingest(tmp_path / "set" / "t.csv", "--test-share", "0")
    for file, column in (("sources.csv", "file"), ("credits.csv", "credit")):
        text = (done.folder / file).read_text()
        cells = [row[column] for row in csv.DictReader(text.splitlines())]
        assert all(cell.startswith("'") for cell in cells)
    assert {row["file"] for row in read_csv(done.folder / "sources.csv")} == set(names)
