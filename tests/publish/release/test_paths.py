"""Local paths are removed from the texts of results."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonderm.core.results.base import LeftOut, Score
from anonderm.core.results.privacy_screen import PrivacyScreen
from anonderm.publish.release.export import without_paths


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
def test_paths_are_removed_and_nothing_else(text: str, left: str | None) -> None:
    screen = PrivacyScreen(0.001, (), (LeftOut("dlib", text),), 3)
    assert without_paths(screen) == PrivacyScreen(0.001, (), (LeftOut("dlib", left or text),), 3)
    assert without_paths({"a": Score(1.0, note=text)}) == {"a": Score(1.0, note=left or text)}
