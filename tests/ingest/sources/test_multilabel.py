from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.layouts import recognise
from anonderm.ingest.sources.multilabel import find, marked_types


@pytest.fixture
def export(tmp_path, draw):
    for number, split in enumerate(("train", "valid", "test")):
        folder = tmp_path / "multi" / split
        for n in range(3):
            draw(folder / f"{n}.jpg", 10 * number + n)
        lines = ["filename, Blackhead, papule, pustule", "0.jpg, 1, 0, 1", "1.jpg, 0, 0, 0", "2.jpg, 0, 2, 0"]
        (folder / "_classes.csv").write_bytes(("\r\n".join(lines) + "\n").encode("utf-8-sig"))
    return tmp_path / "multi"


def test_kinds_of_lesion_are_kept_without_boxes(export, ingest):
    assert recognise(IngestConfig(export))[0] == "multilabel"
    (export / "README.dataset.txt").write_text(
        "# Acne > v1\n\nProvided by a Roboflow user\nLicense: CC BY 4.0\n"
    )
    done = ingest(export, "--label", "acne", "--splits", "given", "--relabel", "Blackhead=comedone")
    assert done.face("train/0.jpg").lesion_types == ("comedone", "pustule")
    assert done.face("valid/1.jpg").lesion_types == ()
    assert done.face("test/1.jpg").split == "test"
    assert "values other than 0 and 1" in done.skipped["train/2.jpg"]
    assert len(done.faces) == 6
    assert done.faces.licence == "CC BY 4.0"


def test_missing_and_unnamed_photos_are_listed(export, draw):
    draw(export / "test" / "写真.jpg", 5)
    with (export / "test" / "_classes.csv").open("a") as file:
        file.write("gone.jpg, 1, 0, 0\nshort.jpg\n")
    reported = {item.reason for item in find(IngestConfig(export)).skipped if item.file.startswith("test/")}
    assert {"names 'gone.jpg', which does not exist", "not named by any label file"} <= reported


def test_another_table_is_an_error(export):
    (export / "test" / "_classes.csv").write_text("name,class\na.jpg,1\n")
    with pytest.raises(InputError, match="its first column is not `filename`"):
        find(IngestConfig(export))


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from(["0", "1", " 1", "2", ""])))
def test_a_row_counts_only_if_every_class_is_stated(row):
    kinds = marked_types(row, ("a", "b", "c"))
    reported = [row.get(name, "").strip() for name in "abc"]
    assert kinds == (
        tuple(n for n, t in zip("abc", reported, strict=True) if t == "1")
        if set(reported) <= {"0", "1"}
        else None
    )
