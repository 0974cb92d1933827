"""Results survive the disk unchanged; a damaged one is an error that names the field."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from pathlib import Path
from typing import get_type_hints

import pytest

from anonderm.core.errors import BrokenArtefact, MissingPath
from anonderm.core.results.base import Result, Score, kinds, load_result
from anonderm.core.results.classifier import (
    ClassificationScores,
    ConfusionMatrix,
    Explanation,
    UtilityArm,
    UtilityResult,
)

CLASSES = ("healthy", "mild")


def arm(accuracy: float) -> UtilityArm:
    score = Score(accuracy, accuracy - 0.1, accuracy + 0.05, 120, True, "95% percentile")
    scores = ClassificationScores(score, None, None, score, {"mild": score}, None, None)
    return UtilityArm(scores, ConfusionMatrix(CLASSES, ((5, 0), (4, 0))), "random", ("too few faces",))


@pytest.fixture
def result() -> UtilityResult:
    shown = Explanation("tstr", "mild", "healthy", 0.7, "a.png", "b.png")
    return UtilityResult(CLASSES, 30, 0.6, arm(0.9), arm(0.8), None, (shown,))


def test_a_result_comes_back_as_it_was(result: UtilityResult, tmp_path: Path) -> None:
    result.save(tmp_path / "results.json")
    assert load_result(tmp_path / "results.json") == UtilityResult.load(tmp_path / "results.json") == result


def test_every_score_has_a_place(result: UtilityResult) -> None:
    assert list(result.scores()) == [
        "trtr/accuracy",
        "trtr/macro_f1",
        "trtr/f1/mild",
        "tstr/accuracy",
        "tstr/macro_f1",
        "tstr/f1/mild",
    ]
    assert next(iter(result.headline().items())) == (
        "accuracy on real test photos of a classifier trained on synthetic faces only",
        result.tstr.scores.accuracy,
    )


def test_a_class_that_is_never_predicted_is_named() -> None:
    assert arm(0.5).confusion.never_predicted == ("mild",)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("tstr", "scores", "accuracy", "value"), "high", r"tstr\.scores\.accuracy\.value: .* valid number"),
        (("tstr", "scores", "accuracy", "value"), "0.8", r"tstr\.scores\.accuracy\.value: .* valid number"),
        (("trtr", "confusion", "counts"), [[1.5]], r"trtr\.confusion\.counts\.0\.0: .* valid integer"),
        (("n_people",), None, "n_people: .* valid integer"),
        (("explanations",), {}, "explanations: .* valid array"),
    ],
)
def test_a_value_of_the_wrong_type_is_an_error_that_names_the_field(
    result: UtilityResult, tmp_path: Path, place: tuple[str, ...], value: object, message: str
) -> None:
    path = tmp_path / "results.json"
    result.save(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    inner = content
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BrokenArtefact, match=message):
        load_result(path)


def test_a_missing_file_field_and_another_kind_are_errors(result: UtilityResult, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    with pytest.raises(MissingPath, match=r"results\.json"):
        load_result(path)
    result.save(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["trtr"]["warnings"]
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(BrokenArtefact, match=r"trtr\.warnings: Field required"):
        load_result(path)
    path.write_text(json.dumps(content | {"kind": "gan-sweep"}), encoding="utf-8")
    with pytest.raises(BrokenArtefact, match="rows: Field required"):
        load_result(path)


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_has_a_class_whose_fields_have_types_and_no_defaults(kind: str) -> None:
    cls = kinds()[kind]
    assert issubclass(cls, Result)
    assert cls.kind == kind
    assert cls.__doc__
    assert get_type_hints(cls)
    assert all(field.default is MISSING for field in fields(cls))
