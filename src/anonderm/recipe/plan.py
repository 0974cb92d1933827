"""From a recipe file to a list of steps, with everything checked before the first hour of work.

A recipe has a title and a table a step, in the order in which they run:

    [steps.all-gan]
    stage = "train-gan"                               # a name of the stage table
    from = { faces = "photos", base = "phantom-64" }  # inputs: earlier steps, or registered weights
    kimg = 3.0                                        # everything else is the stage's configuration

`each = "class"` repeats a step for every class, with `{class}` replaced; the name of such a step, used as an
input, stands for all its repetitions. `{data}` is the folder given with --data. `share` is the part of
--budget-minutes that a training step may use. An input that ends in .safetensors is a checkpoint of the
user's, in the folder of weights (or at its path). recipe/file.py has what else a file may hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core import weights
from anonderm.core.config import check, from_dict, typed
from anonderm.core.errors import BadLabel, ConfigError
from anonderm.core.names import is_plain, slugs
from anonderm.recipe.file import RecipeFile, read_file
from anonderm.stages import STAGES, Stage

_DATA = "{data}"
_STEP_KEYS = ("stage", "from", "each", "share")  # what is not a setting of the stage


@dataclass(frozen=True)
class Step:
    """One stage of a recipe; `inputs` name earlier steps or registered weights."""

    name: str
    stage: Stage
    config: Any
    inputs: dict[str, tuple[str, ...]]
    share: float = 0.0


@dataclass(frozen=True)
class Recipe:
    path: Path
    title: str
    classes: tuple[str, ...]
    steps: tuple[Step, ...]
    photos: int = 0
    """How many a dry run reckons with where it is given none."""

    def until(self, name: str | None) -> tuple[Step, ...]:
        """The steps up to and including `name` (a step, or a stage: its last step)."""
        if name is None:
            return self.steps
        last = [index for index, step in enumerate(self.steps) if name in (step.name, step.stage.name)]
        if not last:
            names = ", ".join(step.name for step in self.steps)
            raise ConfigError(f"{self.path}: no step or stage is called {name!r}.", f"Steps: {names}.")
        return self.steps[: last[-1] + 1]


def read_recipe(
    path: Path, data: Path | None = None, small: bool = False, without_photos: bool = False
) -> Recipe:
    """Read and check a recipe, or its small form.

    without_photos: where none are given, take the published ones' number and classes, for a dry run. Raises
    ConfigError (file and step), MissingPath, EmptyFolder or BadLabel.
    """
    content = read_file(path, small)
    classes, photos = _classes(path, content, data), 0
    if classes is None:
        if not (without_photos and content.published):
            raise ConfigError(
                f"{path}: needs photos.", "Give a folder with one sub-folder a class: --data FOLDER."
            )
        classes, photos = content.published.classes, content.published.photos
    steps: list[Step] = []
    groups: dict[str, tuple[str, ...]] = {}
    for name, body in content.steps.items():
        made = tuple(_expand(path, name, body, classes, data or Path(_DATA), groups))
        groups[name] = tuple(step.name for step in made)
        steps.extend(made)
    if not steps:
        raise ConfigError(f"{path}: no steps.", "A recipe needs at least one table [steps.NAME].")
    if len({step.name for step in steps}) < len(steps):
        raise ConfigError(f"{path}: two steps of one name.", f"Steps: {', '.join(s.name for s in steps)}.")
    _refuse_one_class(data or path, classes, steps)
    return Recipe(path, content.title or path.stem, classes, tuple(steps), photos)


def _classes(path: Path, content: RecipeFile, data: Path | None) -> tuple[str, ...] | None:
    """The recipe's own list, or the classes that ingest will find in the data; None where photos are due."""
    if data is not None and not content.takes_photos:
        raise ConfigError(f"{path}: takes no photos.", "Leave --data out, or run recipes/folder.toml.")
    if data is None and content.takes_photos:
        return None
    return content.classes if data is None or content.classes is not None else _labels_in(path, content, data)


def _labels_in(path: Path, content: RecipeFile, data: Path) -> tuple[str, ...]:
    """The classes of the photos, as the step that reads them will find them."""
    name, stage, body = "photos", STAGES["ingest"], {"source": data}
    for step, values in content.steps.items():
        if (reader := STAGES.get(str(values.get("stage")))) and reader.labels:
            name, stage, body = step, reader, values
            break
    settings = {key: _fill("", value, None, data) for key, value in body.items() if key not in _STEP_KEYS}
    labels = stage.find_labels(from_dict(stage.load_config(), settings, f"{path} [steps.{name}]"))
    if not labels:
        raise BadLabel(
            f"{data}: the photos have no labels.",
            f"Set `label` in [steps.{name}], or sort them by class.",
        )
    return labels


def _refuse_one_class(place: Path, classes: tuple[str, ...], steps: list[Step]) -> None:
    """A classifier would refuse it as well, but perhaps hours later."""
    needs_more = [step.name for step in steps if 0 < len(classes) < step.stage.min_classes]
    if needs_more:
        raise BadLabel(
            f"{place}: only one class, {classes[0]}; the step {needs_more[0]} needs at least two.",
            "Add a folder of photos of another class, such as healthy.",
        )


def _expand(
    path: Path,
    name: str,
    body: dict[str, Any],
    classes: tuple[str, ...],
    data: Path,
    groups: dict[str, tuple[str, ...]],
) -> Iterator[Step]:
    where = f"{path} [steps.{name}]"
    settings = dict(body)
    stage_name, each = typed(str, settings.pop("stage", ""), f"{where}: stage"), settings.pop("each", None)
    sources = typed(dict[str, str | list[str]], settings.pop("from", {}), f"{where}: from")
    share = typed(float, settings.pop("share", 0.0), f"{where}: share")
    check(0 <= share <= 1, f"{where}: share = {share:g}: must lie in 0..1.")
    check(is_plain(name), f"{where}: {name!r} cannot name the step's folder.")
    if stage_name not in STAGES:
        raise ConfigError(f"{where}: unknown stage {stage_name!r}.", f"Stages: {', '.join(STAGES)}.")
    if each not in (None, "class"):
        raise ConfigError(f"{where}: each = {each!r} is unknown.", 'The only repetition is each = "class".')
    stage = STAGES[stage_name]
    inputs = {key: _sources(where, stage, key, value, groups) for key, value in sources.items()}
    _refuse_missing(where, stage, inputs)
    names = slugs(classes)
    for label in classes if each else (None,):
        filled = {key: _fill(where, value, label, data) for key, value in settings.items()}
        config = from_dict(stage.load_config(), filled, where)
        yield Step(
            f"{name}-{names[label]}" if label else name,
            stage,
            config,
            inputs,
            share / max(1, len(classes) if each else 1),
        )


def _sources(
    where: str, stage: Stage, key: str, value: str | list[str], groups: dict[str, tuple[str, ...]]
) -> tuple[str, ...]:
    if key not in stage.inputs:
        known = ", ".join(stage.inputs) or "none"
        raise ConfigError(f"{where}: {stage.name} has no input {key!r}.", f"Its inputs: {known}.")
    found: list[str] = []
    for reference in [value] if isinstance(value, str) else value:
        if reference in groups:
            found.extend(groups[reference])
        elif reference in weights.REGISTER:
            found.append(reference)
        elif reference.endswith(".safetensors"):
            found.append(str(weights.users_folder() / reference))
        else:
            raise ConfigError(
                f"{where}: {key} = {reference!r} is neither an earlier step nor registered weights.",
                f"Earlier steps: {', '.join(groups)}; weights: {', '.join(weights.REGISTER)}, or a file that "
                "ends in .safetensors.",
            )
    return tuple(found)


def _refuse_missing(where: str, stage: Stage, inputs: dict[str, tuple[str, ...]]) -> None:
    for key, wanted in stage.inputs.items():
        if not wanted.optional and not inputs.get(key):
            raise ConfigError(f"{where}: the input {key!r} is missing from `from`.", f"It is: {wanted.help}")


def _fill(where: str, value: Any, label: str | None, data: Path) -> Any:
    if value == "{data}":
        return data
    if value == "{class}" and label is None:
        raise ConfigError(f'{where}: "{{class}}" without each = "class".', "Add it, or name a class.")
    return label if value == "{class}" else value
