"""Settings that steps share, and the small form of a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonderm.classify.config import TrainClassifierConfig
from anonderm.core.errors import ConfigError
from anonderm.recipe.file import read_file
from anonderm.recipe.plan import read_recipe

RECIPE = """
title = "pipeline"

[steps.photos]
stage = "ingest"
source = "{data}"
size = 256

[steps.aligned]
stage = "align"
from = { faces = "photos" }

[steps.gan]
stage = "train-gan"
each = "class"
from = { faces = "aligned", base = "ffhq.safetensors" }
label = "{class}"
kimg = 5000.0
preset = "stylegan2"

[steps.faces]
stage = "generate"
from = { checkpoints = ["gan"] }

[steps.report]
stage = "report"
from = { runs = ["photos", "aligned", "gan"] }

[small]
classes = ["mild", "severe"]
skip = ["aligned"]

[small.steps.photos]
stage = "phantom"
people = 8

[small.steps.gan]
from = { base = "phantom-64" }
kimg = 0.1
unset = ["preset"]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_step_with_a_stage_of_its_own_replaces_the_large_one(tmp_path: Path) -> None:
    photos = read_recipe(written(tmp_path, RECIPE), small=True).steps[0]
    assert (photos.name, photos.stage.name, photos.config.people) == ("photos", "phantom", 8)


def test_other_steps_keep_what_the_small_form_does_not_change(tmp_path: Path) -> None:
    gan = read_recipe(written(tmp_path, RECIPE), small=True).steps[1]
    assert (gan.name, gan.config.label, gan.config.kimg, gan.config.preset) == (
        "gan-mild",
        "mild",
        0.1,
        "auto",
    )
    assert gan.inputs == {"faces": ("photos",), "base": ("phantom-64",)}


def test_a_step_that_reads_a_skipped_step_reads_its_input(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, RECIPE), small=True)
    assert "aligned" not in [step.name for step in recipe.steps]
    assert recipe.steps[-1].inputs == {"runs": ("photos", "gan-mild", "gan-severe")}


def test_the_small_form_does_not_change_the_large_one(tmp_path: Path) -> None:
    alone = RECIPE[: RECIPE.index("[small]")]
    large = read_file(written(tmp_path, RECIPE))
    assert large.steps == read_file(written(tmp_path, alone)).steps
    with pytest.raises(ConfigError, match="no small form"):
        read_file(written(tmp_path, alone), small=True)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[small.steps.gan]", "[small.steps.gam]", "Did you mean 'gan'"),
        ('skip = ["aligned"]', 'skip = ["photos"]', "photos has 0 inputs"),
        ('unset = ["preset"]', 'unset = ["batch"]', "the step has no batch"),
        ("kimg = 0.1", "kmig = 0.1", "Did you mean 'kimg'"),
        ("skip =", "skips =", "Did you mean 'skip'"),
    ],
)
def test_a_mistake_in_the_small_form_is_reported_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in RECIPE
    path = written(tmp_path, RECIPE.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        read_recipe(path, small=True)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


SHARED = """
title = "shared settings"
classes = ["mild", "severe"]

[settings.classifier]
backbone = "resnet50"
epochs = 15
flip = false

[defaults.train-classifier]
epochs = 3
batch = 7

[steps.photos]
stage = "phantom"

[steps.a]
stage = "train-classifier"
use = "classifier"
from = { faces = "photos" }
backbone = "resnet18"

[steps.b]
stage = "train-classifier"
use = ["classifier"]
from = { faces = "photos" }
unset = ["flip", "batch"]

[steps.c]
stage = "train-classifier"
from = { faces = "photos" }

[small]

[small.settings.classifier]
backbone = "test_resnet"

[small.defaults.train-classifier]
batch = 2

[small.defaults.ingest]
size = 32

[small.steps.b]
batch = 4

[small.steps.photos]
stage = "ingest"
source = "somewhere"
min_side = 16
"""


def settings_of(path: Path, small: bool = False) -> dict[str, tuple[str, int, int, bool]]:
    configs = {step.name: step.config for step in read_recipe(path, small=small).steps[1:]}
    return {name: (each.backbone, each.epochs, each.batch, each.flip) for name, each in configs.items()}


def test_own_settings_win_over_used_ones_and_these_over_the_defaults_of_the_stage(tmp_path: Path) -> None:
    default = TrainClassifierConfig()
    assert settings_of(written(tmp_path, SHARED)) == {
        "a": ("resnet18", 15, 7, False),
        "b": ("resnet50", 15, default.batch, default.flip),
        "c": (default.backbone, 3, 7, default.flip),
    }


def test_the_small_form_changes_shared_settings_of_all_steps(tmp_path: Path) -> None:
    default = TrainClassifierConfig()
    assert settings_of(written(tmp_path, SHARED), small=True) == {
        "a": ("test_resnet", 15, 2, False),
        "b": ("test_resnet", 15, 4, default.flip),
        "c": (default.backbone, 3, 2, default.flip),
    }
    photos = read_recipe(written(tmp_path, SHARED), small=True).steps[0].config
    assert (photos.size, photos.min_side) == (32, 16)


@pytest.mark.parametrize(
    ("old", "new", "table", "message"),
    [
        ("[defaults.train-classifier]", "[defaults.train-clasifier]", "[defaults.train-clasifier]", "stage"),
        ("[small.defaults.ingest]", "[small.defaults.digest]", "[small.defaults.digest]", "'ingest'"),
        ("batch = 7", "bacth = 7", "[defaults.train-classifier]", "Did you mean 'batch'"),
        ("batch = 2", "bacth = 2", "[small.defaults.train-classifier]", "Did you mean 'batch'"),
        ("flip = false", "flipp = false", "[steps.a]", "unknown setting 'flipp' of train-classifier"),
        ('use = "classifier"', 'use = "clasifier"', "[steps.a]", "Did you mean 'classifier'"),
        ("[steps.a]", "[settings.gan]\n[steps.a]", "[settings.gan]", "no step uses it"),
        ("batch = 4", 'use = "classifier"', "[small.steps.b]: use", "a stage of its own"),
        ('use = "classifier"', "use = 3", "[steps.a]: use", "list"),
        ("[small.settings.classifier]", "[small.settings.gan]", "[small.settings.gan]", "'gan'"),
        ('unset = ["flip", "batch"]', 'unset = ["mirror"]', "[steps.b]", "the step has no mirror"),
    ],
)
def test_a_mistake_in_shared_settings_is_reported_with_file_and_table(
    tmp_path: Path, old: str, new: str, table: str, message: str
) -> None:
    assert old in SHARED
    path = written(tmp_path, SHARED.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        read_recipe(path, small=True)
    assert f"{path} {table}" in str(raised.value)
    assert message in str(raised.value)
