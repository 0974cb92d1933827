"""What a recipe file holds: steps, settings that several steps share, and a small form.

    [defaults.train-gan]           # settings of every step of this stage
    augment = "none"

    [settings.classifier]          # settings of every step with use = "classifier"; use takes a list as well
    epochs = 15

A step's own settings win over those that it uses, and these over the defaults of its stage. `unset` lists
settings that a step does not take over: they keep the stage's own default.

    [small]                        # `anonderm run RECIPE --small`: the same steps on phantom faces
    skip = ["aligned"]             # left out; a step that reads it reads its input instead

    [small.steps.photos]           # with a stage: replaces the step
    stage = "phantom"
    people = 40

    [small.steps.all-gan]          # without: changes some settings and inputs of the step
    kimg = 0.05
    from = { base = "phantom-64" }

[small.defaults.STAGE] and [small.settings.NAME] change settings of all such steps. `[published]` states how
many photos of which classes a dry run assumes where it is given none.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anonderm.core.config import Count, check, from_dict, typed
from anonderm.core.documents import read_toml
from anonderm.core.errors import ConfigError, InputError, MissingPath
from anonderm.core.names import nearest
from anonderm.stages import STAGES

_SEE = "Recipes are TOML files; see recipes/."

Body = dict[str, Any]


@dataclass(frozen=True)
class Published:
    photos: Count
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shared:
    """Settings by the stage or by the name under which steps take them over."""

    defaults: dict[str, Body] = field(default_factory=dict)
    settings: dict[str, Body] = field(default_factory=dict)


@dataclass(frozen=True)
class Small(Shared):
    title: str = ""
    classes: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    steps: dict[str, Body] = field(default_factory=dict)


@dataclass(frozen=True)
class RecipeFile(Shared):
    """A step holds `stage`, `from`, `each`, `share` and its settings, with those that it takes over."""

    title: str = ""
    classes: tuple[str, ...] | None = None
    published: Published | None = None
    steps: dict[str, Body] = field(default_factory=dict)
    small: Small | None = None

    @property
    def takes_photos(self) -> bool:
        return self.classes is None or any("{data}" in body.values() for body in self.steps.values())


def read_file(path: Path, small: bool = False) -> RecipeFile:
    """Raises MissingPath or ConfigError, which names file and table, also if there is no small form."""
    tables = _toml(path)
    for name, kind in (("small", Small), ("published", Published)):
        if name in tables:
            where = f"{path} [{name}]"
            tables[name] = from_dict(kind, typed(dict[str, Any], tables[name], where), where)
    content = from_dict(RecipeFile, tables, str(path))
    if small and content.small is None:
        raise ConfigError(f"{path}: has no small form.", "Run it without --small.")
    _check_shared(path, content)
    steps = {
        name: _step(path, name, body, content, content.small if small else None)
        for name, body in content.steps.items()
    }
    content = dataclasses.replace(content, steps=steps)
    return _in_small(path, content, content.small) if small and content.small else content


def _toml(path: Path) -> dict[str, Any]:
    if not path.exists():
        raise MissingPath(f"{path}: no such recipe.", _SEE)
    try:
        return read_toml(path)
    except InputError as error:
        raise ConfigError(error.message, _SEE) from error


def _check_shared(path: Path, content: RecipeFile) -> None:
    """Every stage, setting and name of the shared tables must be known."""
    small = content.small or Small()
    for place, shared in (("", content), ("small.", small)):
        for stage, values in shared.defaults.items():
            where = f"{path} [{place}defaults.{stage}]"
            check_known(where, "stage", stage, STAGES)
            for key in values:
                check_known(where, "setting", key, _settings(stage), of=stage)
    steps = [*content.steps.items(), *small.steps.items()]
    used = {each for name, body in steps for each in _used(f"{path} [steps.{name}]", body)}
    for name in content.settings:
        check(name in used, f"{path} [settings.{name}]: no step uses it.", f'Add use = "{name}" to a step.')
    for name in small.settings:
        check_known(f"{path} [small.settings.{name}]", "group of settings", name, content.settings)
    for name in (*small.steps, *small.skip):
        check_known(f"{path} [small]", "step", name, content.steps)


def check_known(where: str, kind: str, name: str, known: Iterable[str], of: str = "") -> None:
    """Raise ConfigError for an unknown name, with the nearest known one."""
    if name not in known:
        near = nearest(name, known)
        hint = f"Did you mean {near!r}?" if near else f"Known: {', '.join(known) or 'none'}."
        raise ConfigError(f"{where}: unknown {kind} {name!r}{of and f' of {of}'}.", hint)


def _settings(stage: str) -> list[str]:
    return [each.name for each in dataclasses.fields(STAGES[stage].load_config())]


def _step(path: Path, name: str, body: Body, content: RecipeFile, small: Small | None) -> Body:
    """A step with the settings that it takes over; in the small form if that is given."""
    where, where_small = f"{path} [steps.{name}]", f"{path} [small.steps.{name}]"
    changes = small.steps.get(name, {}) if small else {}
    if small and "stage" in changes:
        taken = [_taken(where_small, changes, content, shared) for shared in (content, small)]
        return _changed(where_small, taken[0] | taken[1], changes)
    merged = _changed(where, _taken(where, body, content, content), body)
    check(
        "use" not in changes,
        f"{where_small}: use: only a step with a stage of its own can have it.",
        "Give it a stage, or remove use.",
    )
    if small:
        merged = _changed(where_small, {**merged, **_taken(where_small, body, content, small)}, changes)
    return merged


def _taken(where: str, body: Body, content: RecipeFile, shared: Shared) -> Body:
    """The settings that a step takes over from the tables of the recipe, or of its small form."""
    stage = str(body.get("stage"))
    taken = dict(shared.defaults.get(stage, {}))
    for name in _used(where, body):
        check_known(f"{where}: use", "group of settings", name, content.settings)
        for key in shared.settings.get(name, {}) if stage in STAGES else ():
            check_known(f"{where}: use = {name!r}", "setting", key, _settings(stage), of=stage)
        taken |= shared.settings.get(name, {})
    return taken


def _used(where: str, body: Body) -> list[str]:
    """The groups of settings that a step uses."""
    use = body.get("use", [])
    return typed(list[str], [use] if isinstance(use, str) else use, f"{where}: use")


def _changed(where: str, body: Body, changes: Mapping[str, Any]) -> Body:
    """A step's values with changes; those named in `unset` are dropped."""
    changes = {key: value for key, value in changes.items() if key != "use"}
    unset = typed(list[str], changes.pop("unset", []), f"{where}: unset")
    strange = [name for name in unset if name not in body]
    check(
        not strange,
        f"{where}: unset = {unset}: the step has no {', '.join(strange)}.",
        "Remove it from unset.",
    )
    sources = {**body.get("from", {}), **typed(dict[str, Any], changes.pop("from", {}), f"{where}: from")}
    kept = {name: value for name, value in body.items() if name not in unset}
    return {**kept, **({"from": sources} if sources else {}), **changes}


def _in_small(path: Path, content: RecipeFile, small: Small) -> RecipeFile:
    steps = content.steps
    for name in small.skip:
        steps = _without(f"{path} [small] skip", steps, name)
    title = small.title or f"{content.title or path.stem}: small, on phantom faces"
    classes = content.classes if small.classes is None else small.classes
    return dataclasses.replace(content, title=title, classes=classes, steps=steps)


def _without(where: str, steps: dict[str, Body], name: str) -> dict[str, Body]:
    """The steps without this one; whatever reads it reads its only input instead."""
    inputs = steps[name].get("from", {}).values()
    read = [each for value in inputs for each in (value if isinstance(value, list) else [value])]
    check(
        len(read) == 1,
        f"{where}: {name} has {len(read)} inputs; only a step with one can be skipped.",
        "Do not skip it; or skip the steps that read it as well.",
    )
    others = {other: dict(body) for other, body in steps.items() if other != name}
    for body in others.values():
        if isinstance(body.get("from"), dict):
            body["from"] = {key: _renamed(value, name, read[0]) for key, value in body["from"].items()}
    return others


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, list):
        return list(dict.fromkeys(new if each == old else each for each in value))
    return new if value == old else value
