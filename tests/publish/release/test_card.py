"""The data set card."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_up_release import write_release

from anonderm.core.faceset import FaceSet


def test_the_licence_of_the_photos_is_inherited(faces: FaceSet, tmp_path: Path) -> None:
    two = FaceSet(faces.folder, (replace(faces.faces[0], licence="CC0-1.0"), *faces.faces[1:]))
    none = FaceSet(faces.folder, tuple(replace(face, licence="") for face in faces))
    releases = {
        "CC-BY-4.0": write_release(tmp_path / "one", faces),
        "CC-BY-4.0 AND CC0-1.0": write_release(tmp_path / "two", two),
        "No licence was stated": write_release(tmp_path / "none", none),
        "Only for teaching": write_release(tmp_path / "given", faces, licence="Only for teaching"),
    }
    for licence, release in releases.items():
        assert licence in (release / "LICENSE").read_text(encoding="utf-8")
        assert licence in (release / "README.md").read_text(encoding="utf-8")


def front_matter(release: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    _, matter, _ = (release / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(matter)


def test_the_card_has_front_matter_that_the_hub_reads(release: Path, faces: FaceSet, tmp_path: Path) -> None:
    matter = front_matter(release)
    assert matter["license"] == "cc-by-4.0"
    assert matter["pretty_name"] == "Acne: synthetic"
    assert matter["task_categories"] == ["image-classification"]
    assert {"synthetic", "dermatology"} <= set(matter["tags"])
    assert matter["size_categories"] == ["n<1K"]
    own = front_matter(
        write_release(tmp_path / "own", faces, licence='Terms: "ask us"', title='A "title": x')
    )
    assert (own["license"], own["license_name"]) == ("other", 'Terms: "ask us"')
    assert own["pretty_name"] == 'A "title": x'


def test_the_card_states_the_numbers_with_their_intervals(release: Path) -> None:
    card = (release / "README.md").read_text(encoding="utf-8")
    assert "trained on synthetic faces only | 0.81 | 0.73 to 0.89 | 90 |" in card
    assert "(baseline) | 0.003 | 0.0024 to 0.0036 | 300 |" in card
    assert "evidence, not a guarantee" in card
    assert "| mild | 10 |" in card


def test_without_scores_the_card_states_that_nothing_is_documented(faces: FaceSet, tmp_path: Path) -> None:
    card = (write_release(tmp_path / "export", faces) / "README.md").read_text(encoding="utf-8")
    assert "No scores were given" in card


def test_a_column_that_nobody_fills_is_left_out(faces: FaceSet, tmp_path: Path) -> None:
    unsorted = FaceSet(faces.folder, tuple(replace(face, confidence=None) for face in faces))
    with (write_release(tmp_path / "export", unsorted) / "train" / "metadata.csv").open(
        encoding="utf-8"
    ) as file:
        assert "confidence" not in next(csv.reader(file))
