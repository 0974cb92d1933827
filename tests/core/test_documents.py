from pathlib import Path

import pytest

from anonderm.core.documents import parse_json, parse_yaml, read_toml
from anonderm.core.errors import InputError


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x [1]\nb: *x\n", "line 2: aliases are not read"),
        ("a: " + "[" * 3000, "nested more than 20 deep"),
        ("a: 1" + ":1" * 300_000, "line 1: a number of 600001 characters"),  # in base 60: minutes
        ("a: 0x" + "f" * 20_000, "a number of 20002 characters"),  # too long to be printed
        ("a: -0b" + "1" * 20_000, "a number of"),
        ('a: !!int "1' + ":1" * 300_000 + '"', "a number of"),
        ("a: !!int x", "invalid literal"),
        ("a: 2020-13-45", "month must be in 1..12"),
        ("? [a]\n: b", "unhashable key"),
        ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ('a: "\\ud800"', "surrogates not allowed"),
        ("a: [", "not valid YAML"),
    ],
)
def test_odd_yaml_is_refused_at_once_with_its_place(text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"^data\.yaml: not valid YAML") as error:
        parse_yaml(text, "data.yaml")
    assert message in error.value.message


def test_long_texts_and_usual_numbers_in_yaml_are_read() -> None:
    digest = "0123456789abcdef" * 8
    assert parse_yaml(f"a: {digest}\nb: 0x1f\nc: 1e-3\nd: {'papule ' * 50}", "x")["a"] == digest


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "9" * 5000, '"\\ud800"', '{"a": "\\udc00"}', "\0", "", '{"a": 1', b"\x80"]
)
def test_odd_json_is_refused_with_its_place(text: str | bytes) -> None:
    with pytest.raises(InputError, match=r"^net\.json: not valid JSON"):
        parse_json(text, "net.json")


def test_a_whole_surrogate_pair_in_json_is_a_letter() -> None:
    assert parse_json('"\\ud83d\\ude00"', "x") == "\U0001f600"


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000, "a = 0x" + "f" * 20_000, "a = " + "9" * 5000, "[b]\na = [0x" + "f" * 400 + "]"],
)
def test_odd_toml_is_refused_with_its_file(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=r"recipe\.toml: not valid TOML"):
        read_toml(path)
