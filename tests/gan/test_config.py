"""Settings: what is refused, and how the preset fills what is left open."""

from __future__ import annotations

import subprocess
import sys

import pytest

from anonderm.core.errors import ConfigError
from anonderm.gan.config import PRESETS, TrainGanConfig, architecture, preset_for, step_settings
from anonderm.models.stylegan2.architecture import Architecture


@pytest.mark.parametrize(
    "wrong",
    [
        {"kimg": 0.0},
        {"batch": 1},
        {"style_mixing": 1.5},
        {"augment_p": -0.1},
        {"augment": "none", "augment_p": 0.5},
        {"ada_target": 1.0},
        {"metric_faces": 3},
        {"label": "mild", "conditional": True},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict) -> None:
    with pytest.raises(ConfigError):
        TrainGanConfig(**wrong)


@pytest.mark.parametrize("resolution", [4, 48, 100, 2048])
def test_sizes_that_are_not_a_power_of_two_are_refused(resolution: int) -> None:
    with pytest.raises(ConfigError, match="power of two"):
        architecture(PRESETS["tiny"], resolution, ())


@pytest.mark.parametrize(
    ("resolution", "name"),
    [(8, "tiny"), (64, "tiny"), (128, "small"), (256, "paper256"), (1024, "paper1024")],
)
def test_the_automatic_preset_goes_by_size(resolution: int, name: str) -> None:
    assert preset_for("auto", resolution) is PRESETS[name]


def test_r1_follows_the_rule_unless_preset_or_user_say_otherwise() -> None:
    ruled = step_settings(TrainGanConfig(), PRESETS["small"], 64)
    assert ruled.r1_gamma == pytest.approx(0.0002 * 64**2 / 16)
    assert step_settings(TrainGanConfig(), PRESETS["paper1024"], 1024).r1_gamma == 2
    assert step_settings(TrainGanConfig(r1_gamma=0.0), PRESETS["paper1024"], 1024).r1_gamma == 0


def test_without_augmentation_the_probability_is_0() -> None:
    settings = step_settings(TrainGanConfig(augment="none"), PRESETS["tiny"], 64)
    assert (settings.augment, settings.augment_p) == ((), 0.0)
    assert step_settings(TrainGanConfig(), PRESETS["tiny"], 64).augment == ("blit", "geometry", "colour")


def test_an_architecture_survives_its_card() -> None:
    arch = architecture(PRESETS["small"], 128, ("mild", "severe"))
    card = arch.to_card()
    assert Architecture.from_card({**card, "classes": list(card["classes"])}) == arch


def test_widths_of_configuration_f() -> None:
    arch = architecture(PRESETS["stylegan2"], 1024, ())
    assert [arch.channels(size) for size in arch.sizes] == [512, 512, 512, 512, 512, 256, 128, 64, 32]


def test_configuration_imports_no_torch() -> None:
    program = "import sys, anonderm.gan.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
