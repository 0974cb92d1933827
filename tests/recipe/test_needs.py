"""Missing weights of a recipe."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from anonderm.core.errors import MissingWeights
from anonderm.core.weights import third_party
from anonderm.recipe import needs
from anonderm.recipe.execute import run_recipe
from anonderm.recipe.needs import missing_weights
from anonderm.recipe.plan import read_recipe
from anonderm.stages import STAGES

SHIPPED = Path(needs.__file__).parents[1] / "weights"
RECIPES = Path(__file__).parents[2] / "recipes"
PAPERS = ("acnegan", "rosacea", "skin_filtered_acne", "lesion_types")


@pytest.fixture(autouse=True)
def no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANONDERM_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


def test_all_missing_weights_are_listed_with_the_command_that_gets_them(tmp_path: Path) -> None:
    recipe = read_recipe(RECIPES / "acnegan.toml", without_photos=True)
    missing = missing_weights(recipe.steps)
    base = tmp_path / "weights" / "ffhq-1024.safetensors"
    commands = {
        "all-gan": f"`anonderm import-gan PICKLE {base}`",
        "restored": "`anonderm weights add dfdnet FOLDER`",
        "photos": "`anonderm weights add face-parsing FILE`",
        "fidelity": "`anonderm weights fetch inception-fid`",
        "realism": "`anonderm weights add bonettini-b4-dfdc FILE`",
        "matrix": "`hf download timm/inception_resnet_v2.tf_in1k model.safetensors`",
    }
    for step, command in commands.items():
        assert any(command in text for text, steps in missing.items() if step in steps), step


def test_a_run_without_its_weights_is_refused_before_the_first_step(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(MissingWeights, match=r"ffhq-512\.safetensors"):
        run_recipe(RECIPES / "rosacea.toml", tmp_path / "out", data=tmp_path / "photos")
    assert not (tmp_path / "out").exists()


def test_weights_that_are_present_are_not_listed(tmp_path: Path) -> None:
    recipe = read_recipe(RECIPES / "rosacea.toml", without_photos=True)
    steps = [step for step in recipe.steps if "base" in step.inputs]
    (tmp_path / "weights").mkdir()
    for suffix in (".safetensors", ".json"):
        shutil.copy(SHIPPED / f"phantom-64{suffix}", tmp_path / "weights" / f"ffhq-512{suffix}")
    assert not any("ffhq-512" in problem for problem in missing_weights(steps))


def test_damaged_weights_are_listed_as_well(tmp_path: Path) -> None:
    steps = read_recipe(RECIPES / "rosacea.toml", without_photos=True).steps
    wanted = third_party()["inception-fid"]
    wanted.folder.mkdir(parents=True)
    wanted.path.write_bytes(b"cut short")
    assert any("not the expected file" in problem for problem in missing_weights(steps))


@pytest.mark.parametrize("name", PAPERS)
def test_the_small_form_needs_no_third_party_weights(name: str) -> None:
    assert missing_weights(read_recipe(RECIPES / f"{name}.toml", small=True).steps) == {}


_FILES = """
classes = ["healthy", "severe"]
[steps.photos]
stage = "phantom"
people = 8
classes = ["healthy", "severe"]
[steps.aligned]
stage = "align"
from = { faces = "photos" }
points = "none/points.csv"
"""


def test_files_that_settings_name_must_be_there_before_the_first_step(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(_FILES, encoding="utf-8")
    with pytest.raises(MissingWeights, match=r"aligned: points = none/points\.csv: no such file"):
        run_recipe(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


_OWN = """
classes = ["clear", "mild"]

[steps.photos]
stage = "phantom"
people = 8

[steps.gan]
stage = "train-gan"
from = { faces = "photos", base = "BASE" }
"""


@pytest.mark.parametrize(
    ("base", "message"),
    [
        (
            str(SHIPPED / "phantom-skin.safetensors"),
            r"a checkpoint of kind skin\. Give one from train-gan",
        ),
        ("x" * 5000 + ".safetensors", r"x\.\.\.: no such file"),
        ("none.safetensors", r"none\.safetensors: no such file"),
    ],
)
def test_a_checkpoint_of_the_users_own_must_be_there_and_be_of_the_right_kind(
    base: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(_OWN.replace("BASE", base), encoding="utf-8")
    with pytest.raises(MissingWeights, match=message) as error:
        run_recipe(path, tmp_path / "out")
    assert len(str(error.value)) < 3000


def test_the_kind_of_checkpoint_of_every_stage_that_makes_one_is_known() -> None:
    assert {name for name, stage in STAGES.items() if stage.output == "checkpoint"} == set(needs._MADE)
