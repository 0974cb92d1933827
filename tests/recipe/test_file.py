"""The small form of a recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from anonderm.core.errors import ConfigError
from anonderm.recipe.file import read_file
from anonderm.recipe.plan import read_recipe

LINE = """
title = "line"

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


def test_a_step_that_names_a_stage_takes_the_place_of_the_large_one(tmp_path: Path) -> None:
    photos = read_recipe(written(tmp_path, LINE), small=True).steps[0]
    assert (photos.name, photos.stage.name, photos.config.people) == ("photos", "phantom", 8)


def test_other_steps_keep_what_the_small_form_does_not_change(tmp_path: Path) -> None:
    gan = read_recipe(written(tmp_path, LINE), small=True).steps[1]
    assert (gan.name, gan.config.label, gan.config.kimg, gan.config.preset) == (
        "gan-mild",
        "mild",
        0.1,
        "auto",
    )
    assert gan.inputs == {"faces": ("photos",), "base": ("phantom-64",)}


def test_who_reads_a_skipped_step_reads_what_it_would_have_read(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, LINE), small=True)
    assert "aligned" not in [step.name for step in recipe.steps]
    assert recipe.steps[-1].inputs == {"runs": ("photos", "gan-mild", "gan-severe")}


def test_the_large_form_is_as_if_there_were_no_small_one(tmp_path: Path) -> None:
    alone = LINE[: LINE.index("[small]")]
    large = read_file(written(tmp_path, LINE))
    assert large.steps == read_file(written(tmp_path, alone)).steps
    with pytest.raises(ConfigError, match="no small form"):
        read_file(written(tmp_path, alone), small=True)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("[small.steps.gan]", "[small.steps.gam]", "Did you mean 'gan'"),
        ('skip = ["aligned"]', 'skip = ["photos"]', "reads 0 inputs"),
        ('unset = ["preset"]', 'unset = ["batch"]', "the step has no batch"),
        ("kimg = 0.1", "kmig = 0.1", "Did you mean 'kimg'"),
        ("skip =", "skips =", "Did you mean 'skip'"),
    ],
)
def test_a_mistake_in_the_small_form_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in LINE
    path = written(tmp_path, LINE.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        read_recipe(path, small=True)
    assert told in str(raised.value)
    assert str(path) in str(raised.value)
