from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anonderm.core.config import (
    Count,
    Positive,
    Settings,
    Share,
    check,
    differences,
    from_dict,
    to_dict,
    to_toml,
)
from anonderm.core.errors import ConfigError


@dataclass(frozen=True)
class _Example:
    learning_rate: float = 0.002
    epochs: int = 10
    source: Path | None = None
    classes: tuple[str, ...] = ("healthy", "mild")
    betas: tuple[float, float] = (0.0, 0.99)
    name: str = "Rötung"
    mirror: bool = True

    def __post_init__(self) -> None:
        check(self.epochs > 0, f"epochs = {self.epochs}: must be positive.", "Give 1 or more.")


def test_an_unknown_setting_suggests_the_nearest_known_one():
    with pytest.raises(ConfigError, match=r"my\.toml \[train\]: unknown setting 'learning_rat'") as caught:
        from_dict(_Example, {"learning_rat": 0.1}, "my.toml [train]")
    assert "'learning_rate'" in caught.value.hint


def test_a_setting_that_resembles_none_lists_the_known_ones():
    with pytest.raises(ConfigError) as caught:
        from_dict(_Example, {"zzz": 1}, "my.toml")
    assert "epochs" in caught.value.hint


@pytest.mark.parametrize(
    "values",
    [{"epochs": "many"}, {"epochs": 1.5}, {"learning_rate": [1]}, {"betas": [0.1]}, {"classes": "mild"}],
)
def test_a_value_of_the_wrong_type_is_named_in_the_error(values):
    (name,) = values
    with pytest.raises(ConfigError, match=rf"my\.toml: {name}"):
        from_dict(_Example, values, "my.toml")


def test_a_value_out_of_range_keeps_its_own_message():
    with pytest.raises(ConfigError, match="epochs = 0: must be positive"):
        from_dict(_Example, {"epochs": 0}, "my.toml")


@pytest.mark.parametrize(
    "settings",
    [_Example(), _Example(1, 2, Path("photos/a b"), (), (0.5, 0.9), 'say "hi"\n', False)],
)
def test_settings_survive_a_round_trip_through_toml(settings):
    back = from_dict(_Example, tomllib.loads(to_toml(settings)), "config.toml")
    assert back == settings
    assert isinstance(back.classes, tuple)


def test_every_default_is_written_except_unset_values():
    assert set(to_dict(_Example())) == {
        "learning_rate", "epochs", "classes", "betas", "name", "mirror",
    }  # fmt: skip


def test_differences_name_each_setting_that_changed():
    old, new = to_dict(_Example()), to_dict(_Example(epochs=20, source=Path("photos")))
    assert differences(old, new) == ["epochs: 10 -> 20", "source: (not set) -> photos"]
    assert differences(old, tomllib.loads(to_toml(_Example()))) == []


def test_a_command_line_names_a_file_without_its_folder() -> None:
    from anonderm.core.config import command_line
    from anonderm.skin.config import TrainSkinConfig

    command = command_line("train-skin", TrainSkinConfig(resnet=Path("/home/jane/photos/resnet18.pth")))
    assert "--resnet resnet18.pth" in command
    assert "jane" not in command


def test_a_command_line_sets_every_setting_and_names_no_input() -> None:
    from anonderm.classify.config import TrainClassifierConfig
    from anonderm.core.config import command_line

    words = command_line("train-classifier", TrainClassifierConfig(flip=False, backbone="a net"))
    assert words.startswith("anonderm train-classifier --backbone 'a net' ")
    assert "--no-flip" in words
    assert "--class-weights" in words
    assert "--brightness 0.6 1.0" in words
    assert "--size" not in words


@dataclass(frozen=True, slots=True)
class _Bounded(Settings):
    epochs: Count = 3
    rate: Positive = 0.1
    share: Share | None = None
    pairs: tuple[Count, ...] = (1,)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs = 0: must be at least 1."),
        ({"epochs": 1.5}, "epochs = 1.5: must be a whole number."),
        ({"rate": 0.0}, "rate = 0.0: must be greater than 0."),
        ({"rate": float("inf")}, "rate = inf: must be at most 1000000."),
        ({"rate": float("nan")}, "rate = nan: must be at most 1000000."),
        ({"share": 1.5}, "share = 1.5: must be at most 1."),
        ({"epochs": 10**10}, "epochs = 10000000000: must be at most 1000000000."),
        ({"pairs": (2, 0)}, "pairs = (2, 0): must be at least 1."),
    ],
)
def test_bounds_are_checked_however_a_configuration_is_made(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        _Bounded(**values)
    assert error.value.message == message
    with pytest.raises(ConfigError, match=r"file\.toml"):
        from_dict(_Bounded, values, "file.toml")


def test_allowed_values_pass_and_the_hint_names_the_default() -> None:
    assert _Bounded(share=0.5, pairs=(1, 2)).share == 0.5
    with pytest.raises(ConfigError) as error:
        _Bounded(epochs=-1)
    assert error.value.hint == "Give a whole number from 1 to 1000000000, such as --epochs 3 (the default)."


@pytest.mark.parametrize(
    ("values", "flag", "toml"),
    [
        ({"epochs": 0}, "--epochs 3 (the default)", "epochs = 3 (the default)"),
        ({"rate": 0.0}, "--rate 0.1 (the default)", "rate = 0.1 (the default)"),
        ({"share": 2.0}, "--share 1.0. It may be left out", "share = 1.0. It may be left out"),
        ({"pairs": (0,)}, "--pairs 1 (the default)", "pairs = [1] (the default)"),
        ({"epochs": 10**5000}, "whole number from 1 to", "whole number from 1 to"),
    ],
)
def test_every_refused_value_is_answered_with_the_range_and_an_example(
    values: dict[str, Any], flag: str, toml: str
) -> None:
    with pytest.raises(ConfigError) as error:
        _Bounded(**values)
    assert flag in error.value.hint
    assert len(error.value.message) < 300
    with pytest.raises(ConfigError) as error:
        from_dict(_Bounded, values, "file.toml")
    assert toml in error.value.hint
