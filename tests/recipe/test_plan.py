from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from anonderm.core.errors import BadLabel, ConfigError, EmptyFolder, MissingPath
from anonderm.recipe.plan import read_recipe

RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))

RECIPE = """
title = "small"
classes = ["healthy", "very severe"]

[steps.photos]
stage = "phantom"
people = 10

[steps.gan]
stage = "train-gan"
each = "class"
from = { faces = "photos", base = "phantom-64" }
label = "{class}"
kimg = 1.0
share = 0.5

[steps.faces]
stage = "generate"
from = { checkpoints = "gan" }
seeds = "0-7"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for label in ("rosacea", "healthy"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "a.jpg").touch()
    return tmp_path / "photos"


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid(path: Path, photos: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert read_recipe(path, photos if "{data}" in text else None).steps


def test_a_step_with_each_class_is_repeated_for_every_class(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, RECIPE))
    assert [step.name for step in recipe.steps] == [
        "photos",
        "gan-healthy",
        "gan-very-severe",
        "faces",
    ]
    assert [step.config.label for step in recipe.steps[1:3]] == ["healthy", "very severe"]
    assert recipe.steps[3].inputs == {"checkpoints": ("gan-healthy", "gan-very-severe")}


def test_the_share_of_a_repeated_step_is_split_among_its_classes(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, RECIPE))
    assert [step.share for step in recipe.steps] == [0, 0.25, 0.25, 0]


def test_classes_come_from_the_folder_if_the_recipe_names_none(tmp_path: Path, photos: Path) -> None:
    text = RECIPE.replace('classes = ["healthy", "very severe"]', "")
    assert read_recipe(written(tmp_path, text), photos).classes == ("healthy", "rosacea")


def test_until_names_a_step_or_a_stage(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, RECIPE))
    assert len(recipe.until("photos")) == 1
    assert len(recipe.until("train-gan")) == 3
    with pytest.raises(ConfigError, match="nothing"):
        recipe.until("nothing")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("people = 10", "peolpe = 10", "Did you mean 'people'"),
        ("people = 10", 'people = "ten"', "people"),
        ('stage = "generate"', 'stage = "generat"', "unknown stage"),
        ('checkpoints = "gan"', 'checkpoints = "gna"', "gna"),
        ('checkpoints = "gan"', 'faces = "gan"', "unknown input 'faces' of generate"),
        ('from = { checkpoints = "gan" }', "", "input 'checkpoints' is missing"),
        ('each = "class"', 'each = "person"', "each = 'person'"),
        ("[steps.photos]", "[steps.photos", "not valid TOML"),
        ("people = 10", "people = 0", "people = 0"),
        ('title = "small"', 'tilte = "small"', "Did you mean 'title'"),
        ('["healthy", "very severe"]', '"healthy"', "classes = 'healthy'"),
        ('["healthy", "very severe"]', '["healthy", "healthy"]', "two steps have one name"),
        ("[steps.photos]", "steps.x = 3\n[steps.photos]", "steps.x = 3"),
        ("[steps.photos]", '[steps."../photos"]', "cannot be the name of a folder"),
        ('from = { checkpoints = "gan" }', 'from = "gan"', "from = 'gan'"),
        ("share = 0.5", 'share = "half"', "share = 'half'"),
        ("share = 0.5", "share = 2.0", "share = 2"),
        ('each = "class"', "", 'without each = "class"'),
        ('stage = "generate"', "stage = 3", "stage = 3"),
        (
            'checkpoints = "gan"',
            'checkpoints = "photos"',
            "is from phantom; it must be a checkpoint from train-gan or",
        ),
        ('faces = "photos"', 'faces = "phantom-64"', "is from train-gan; it must be faces"),
        ('base = "phantom-64"', 'base = "phantom-skin"', "must be a checkpoint from train-gan or sweep-gan"),
        ('checkpoints = "gan"', 'checkpoints = "gam"', "Did you mean 'gan'"),
        ('faces = "photos"', 'faces = ["photos", "photos"]', "faces takes one input, not 2"),
        ('label = "{class}"', 'label = "{foo}"', "label = '{foo}': unknown placeholder"),
        ('label = "{class}"', 'label = "very {class}"', "label = 'very {class}': unknown placeholder"),
        ('label = "{class}"', 'label = "{class-name}"', "label = '{class-name}': unknown placeholder"),
        ('label = "{class}"', 'label = "a{foo1}b"', "label = 'a{foo1}b': unknown placeholder"),
        ("people = 10", "people = 0x" + "f" * 20_000, "more than 300 digits"),
        ("people = 10", "people = 99999999999999999999999", "must be at most 100000"),
        ("people = 10", 'classes = ["mild", "{foo}"]', "classes = '{foo}': unknown placeholder"),
    ],
)
def test_a_mistake_in_a_recipe_is_reported_with_its_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in RECIPE
    path = written(tmp_path, RECIPE.replace(old, new))
    with pytest.raises(ConfigError) as raised:
        read_recipe(path)
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


def test_a_gan_of_a_class_that_the_photos_do_not_have_is_refused_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, RECIPE.replace('each = "class"\n', "").replace("{class}", "severe"))
    with pytest.raises(BadLabel, match=r"label = 'severe' is not a class of this recipe\.\n.*'very severe'"):
        read_recipe(path)


def test_an_input_must_come_from_an_earlier_step(tmp_path: Path) -> None:
    head, faces = RECIPE.split("[steps.faces]")
    title, rest = head.split("[steps.photos]")
    with pytest.raises(ConfigError, match="earlier step"):
        read_recipe(written(tmp_path, f"{title}[steps.faces]{faces}[steps.photos]{rest}"))


def test_a_recipe_for_photos_is_refused_without_them(tmp_path: Path) -> None:
    text = RECIPE.replace('classes = ["healthy", "very severe"]', "")
    with pytest.raises(ConfigError, match="--data"):
        read_recipe(written(tmp_path, text))
    with pytest.raises(MissingPath):
        read_recipe(written(tmp_path, text), tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmptyFolder):
        read_recipe(written(tmp_path, text), tmp_path / "empty")


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingPath, match=r"none\.toml"):
        read_recipe(tmp_path / "none.toml")


def test_photos_for_a_recipe_that_takes_none_are_refused(tmp_path: Path, photos: Path) -> None:
    with pytest.raises(ConfigError, match="takes no photos"):
        read_recipe(written(tmp_path, RECIPE), photos)


def test_one_class_is_refused_before_any_work_if_a_classifier_follows(tmp_path: Path, photos: Path) -> None:
    shutil.rmtree(photos / "healthy")
    with pytest.raises(BadLabel, match="only one class, rosacea; the step real-classifier"):
        read_recipe(RECIPES[0], photos)


def test_classes_in_any_script_give_steps_distinct_names(tmp_path: Path) -> None:
    text = RECIPE.replace('"healthy", "very severe"', '"にきび", "酒さ", "a b", "a-b"')
    names = [step.name for step in read_recipe(written(tmp_path, text)).steps]
    assert names == ["photos", "gan-class", "gan-class-2", "gan-a-b", "gan-a-b-2", "faces"]


def test_the_error_about_an_input_names_the_steps_that_would_fit(tmp_path: Path) -> None:
    text = RECIPE.replace('checkpoints = "gan"', 'checkpoints = "photos"')
    with pytest.raises(ConfigError, match="Earlier steps that fit: gan"):
        read_recipe(written(tmp_path, text))


def test_braces_in_a_regular_expression_are_no_placeholder(tmp_path: Path, photos: Path) -> None:
    ingest = '[steps.photos]\nstage = "ingest"\nsource = "{data}"\nsubjects = \'/([a-z]{1})\''
    text = RECIPE.replace('classes = ["healthy", "very severe"]', "").replace(
        '[steps.photos]\nstage = "phantom"\npeople = 10', ingest
    )
    assert read_recipe(written(tmp_path, text), photos).steps[0].config.subjects == "/([a-z]{1})"
