"""From a recipe file to a list of steps, with everything checked before the first hour of work.

A recipe has a title and one table for each step, in the order in which they run:

    [steps.all-gan]
    stage = "train-gan"                               # a name from the table of stages
    from = { faces = "photos", base = "phantom-64" }  # inputs: earlier steps, or registered weights
    kimg = 3.0                                        # all else is the stage's configuration

`each = "class"` repeats a step for every class, with "{class}" replaced; as an input, the name of such a step
stands for all its repetitions. "{data}" is the folder given with --data. `share` is the part of the training
time within --budget-minutes that a step may use. An input that ends in .safetensors is a checkpoint of the
user's, in the folder of weights or at its path. recipe/file.py explains what else a file may hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core import weights
from anonderm.core.config import check, from_dict, typed
from anonderm.core.errors import BadLabel, ConfigError
from anonderm.core.names import is_plain, nearest, slugs
from anonderm.core.setting_words import shown
from anonderm.recipe.file import RecipeFile, check_known, read_file
from anonderm.stages import STAGES, Input, Stage


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
    """The number that a dry run assumes when no photos are given."""

    def until(self, name: str | None) -> tuple[Step, ...]:
        """The steps up to and including `name` (a step, or a stage: its last step)."""
        if name is None:
            return self.steps
        last = [index for index, step in enumerate(self.steps) if name in (step.name, step.stage.name)]
        if not last:
            names = ", ".join(step.name for step in self.steps)
            raise ConfigError(f"{self.path}: no step or stage is called {name!r}.", f"Steps: {names}.")
        return self.steps[: last[-1] + 1]


_READER = next(stage for stage in STAGES.values() if stage.labels)  # the stage that reads photos
DATA, _CLASS = "{data}", "{class}"
# Not \N{DASH}, a character of a regular expression; .{3} has no letter.
_PLACEHOLDER = re.compile(r"(?<!\\N)\{\s*[A-Za-z_][\w -]*\}|^\{\s*\}$")
_STEP_KEYS = ("stage", "from", "each", "share")  # what is not a setting of the stage


def read_recipe(
    path: Path, data: Path | None = None, small: bool = False, without_photos: bool = False
) -> Recipe:
    """Read and check a recipe, or its small form.

    without_photos: for a dry run without photos, assume the published number and classes. Raises ConfigError,
    which names file and step, MissingPath, EmptyFolder or BadLabel.
    """
    content = read_file(path, small)
    classes, photos = _classes(path, content, data), 0
    if classes is None:
        if not (without_photos and content.published):
            raise ConfigError(
                f"{path}: needs photos.", "Give --data FOLDER, a folder with one sub-folder for each class."
            )
        classes, photos = content.published.classes, content.published.photos
    steps: list[Step] = []
    groups: Groups = {}
    for name, body in content.steps.items():
        groups[name] = tuple(_expand(path, name, body, classes, data or Path(DATA), groups))
        steps.extend(groups[name])
    if not steps:
        raise ConfigError(f"{path}: no steps.", "A recipe needs at least one table [steps.NAME].")
    if len({step.name.casefold() for step in steps}) < len(steps):  # some file systems ignore case
        raise ConfigError(f"{path}: two steps have one name.", f"Steps: {', '.join(s.name for s in steps)}.")
    _refuse_one_class(data or path, classes, steps)
    _refuse_unknown_label(path, classes, steps)
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
    readers = ((name, body) for name, body in content.steps.items() if body.get("stage") == _READER.name)
    name, body = next(readers, ("photos", {"source": DATA}))
    where = f"{path} [steps.{name}]"
    settings = {key: fill(f"{where}: {key}", value, None, data) for key, value in _settings(body).items()}
    labels = _READER.find_labels(from_dict(_READER.load_config(), settings, where))
    if not labels:
        raise BadLabel(f"{data}: the photos have no labels.", f"Set `label` in [steps.{name}].")
    return labels


def _refuse_one_class(place: Path, classes: tuple[str, ...], steps: list[Step]) -> None:
    """A classifier would refuse it as well, but perhaps hours later."""
    needs_more = [step.name for step in steps if 0 < len(classes) < step.stage.min_classes]
    if needs_more:
        raise BadLabel(
            f"{place}: only one class, {classes[0]}; the step {needs_more[0]} needs at least two.",
            "Add a folder of photos of another class, such as healthy.",
        )


def _refuse_unknown_label(path: Path, classes: tuple[str, ...], steps: list[Step]) -> None:
    """A GAN of one class, which the photos must have."""
    for step in steps:
        label = step.config.label if step.stage.name == "train-gan" else None
        if classes and label is not None and label not in classes:
            near = nearest(label, classes)
            raise BadLabel(
                f"{path} [steps.{step.name}]: label = {label!r} is not a class of this recipe.",
                f"Did you mean {near!r}?" if near else f"Classes: {', '.join(classes)}.",
            )


def _expand(
    path: Path, name: str, body: dict[str, Any], classes: tuple[str, ...], data: Path, groups: Groups
) -> Iterator[Step]:
    """A step, or its repetitions."""
    where = f"{path} [steps.{name}]"
    stage_name, each = typed(str, body.get("stage", ""), f"{where}: stage"), body.get("each")
    share = typed(float, body.get("share", 0.0), f"{where}: share")
    check(
        0 <= share <= 1,
        f"{where}: share = {share:g}: must be a number from 0 to 1.",
        "An example: share = 0.5.",
    )
    check(
        is_plain(name),
        f"{where}: {name!r} cannot be the name of a folder.",
        "Use letters, digits, - and _, as in [steps.all-gan].",
    )
    check_known(where, "stage", stage_name, STAGES)
    if each not in (None, "class"):
        raise ConfigError(f"{where}: each = {each!r} is unknown.", 'The only repetition is each = "class".')
    stage = STAGES[stage_name]
    inputs = read_inputs(where, stage, body.get("from", {}), groups)
    names = slugs(classes)
    for label in classes if each else (None,):
        filled = {key: fill(f"{where}: {key}", value, label, data) for key, value in _settings(body).items()}
        yield Step(
            f"{name}-{names[label]}" if label else name,
            stage,
            from_dict(stage.load_config(), filled, where),
            inputs,
            share / max(1, len(classes) if each else 1),
        )


def _settings(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in _STEP_KEYS}


def fill(where: str, value: Any, label: str | None, data: Path) -> Any:
    """A setting with its placeholder replaced, also inside a list. Raises ConfigError for an unknown one."""
    if isinstance(value, list):
        return [fill(where, each, label, data) for each in value]
    if value == DATA:
        return data
    if value == _CLASS:
        check(label is not None, f'{where} = "{_CLASS}" without each = "class".', "Add it, or name a class.")
        return label
    check(
        not (isinstance(value, str) and _PLACEHOLDER.search(value)),
        f"{where} = {shown(value)}: unknown placeholder.",
        f'The placeholders are "{DATA}" and "{_CLASS}", each as a whole value.',
    )
    return value


Groups = dict[str, tuple[Step, ...]]
"""The steps so far, by the names in the file; a repeated step has several."""


def read_inputs(where: str, stage: Stage, sources: Any, groups: Groups) -> dict[str, tuple[str, ...]]:
    """`from` of a step, repeated steps in full. Raises ConfigError for an input that does not fit."""
    given = typed(dict[str, str | list[str]], sources, f"{where}: from")
    inputs = {}
    for key, value in given.items():
        check_known(where, "input", key, stage.inputs, of=stage.name)
        references = [value] if isinstance(value, str) else value
        wanted, place = stage.inputs[key], f"{where}: {key}"
        found = [name for each in references for name in _resolved(place, each, wanted, groups)]
        check(
            wanted.many or len(found) == 1,
            f"{place} takes one input, not {len(found)}: {', '.join(found)}.",
            "Name one earlier step.",
        )
        inputs[key] = tuple(found)
    for key, wanted in stage.inputs.items():
        if not wanted.optional and not inputs.get(key):
            raise ConfigError(f"{where}: the input {key!r} is missing from `from`.", f"It is: {wanted.help}")
    return inputs


def _resolved(where: str, reference: str, wanted: Input, groups: Groups) -> list[str]:
    """The steps or the checkpoint that a reference stands for."""
    where = f"{where} = {reference!r}"
    if reference in groups:
        stages = {step.stage.name for step in groups[reference]}
        fitting = [
            name
            for name, of_name in groups.items()
            if all(_fits(each.stage.name, wanted) for each in of_name)
        ]
        check(
            reference in fitting,
            f"{where} is from {', '.join(stages)}; it must be {_described(wanted)}.",
            f"Earlier steps that fit: {', '.join(fitting) or 'none'}.",
        )
        return [step.name for step in groups[reference]]
    if reference in weights.SHIPPED:
        made_by = weights.SHIPPED[reference].made_by
        check(
            _fits(made_by, wanted),
            f"{where} is from {made_by}; it must be {_described(wanted)}.",
            "Name an earlier step that makes it.",
        )
        return [reference]
    if reference.endswith(".safetensors"):
        check(
            wanted.kind == "checkpoint",
            f"{where} is a checkpoint; it must be {_described(wanted)}.",
            "Name an earlier step that makes it.",
        )
        return [str(weights.user_folder() / reference)]
    near = nearest(reference, [*groups, *weights.SHIPPED])
    known = f"Earlier steps: {', '.join(groups)}; shipped weights: {', '.join(weights.SHIPPED)}."
    raise ConfigError(
        f"{where} is not an earlier step, shipped weights or a .safetensors file.",
        f"Did you mean {near!r}?" if near else known,
    )


def _fits(stage: str, wanted: Input) -> bool:
    kind = "faces" if wanted.kind == "images" else wanted.kind
    return kind in ("run", STAGES[stage].output) and (not wanted.made_by or stage in wanted.made_by)


def _described(wanted: Input) -> str:
    kind = {"faces": "faces", "images": "faces", "run": "a run"}.get(wanted.kind, f"a {wanted.kind}")
    return f"{kind} from {' or '.join(wanted.made_by)}" if wanted.made_by else kind
