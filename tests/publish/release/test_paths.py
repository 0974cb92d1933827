"""Paths of a machine do not leave with the texts of scores."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonderm.core.records import Scores
from anonderm.core.results.base import Score
from anonderm.publish.release.paths import without_paths


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("no weights in /srv/jane/weights/arcface.onnx (see there)", "no weights in (a path) (see there)"),
        (r"no weights in C:\Users\jane\arcface.onnx", "no weights in (a path)"),
        (f"{Path.home()}/photos: empty", "(a path): empty"),
        ("'/data/ward7/', and more", "'(a path)', and more"),
        ("singling_out[dlib]/FMR 1% is at 3 / 40, and/or 1/2", None),
        ("trained on 300 faces", None),
    ],
)
def test_paths_are_taken_out_and_nothing_else(text: str, left: str | None) -> None:
    details = {"left_out": [{"reason": text}], "number": 3, "none": None}
    cleaned = without_paths(Scores({"a": Score(1.0, note=text)}, details))
    assert cleaned.scores["a"].note == (left or text)
    assert cleaned.details == {"left_out": [{"reason": left or text}], "number": 3, "none": None}
