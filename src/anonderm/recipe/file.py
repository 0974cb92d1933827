"""What a recipe file holds, and its small form: the same steps on drawn faces, in minutes.

    [small]                        # `anonderm run RECIPE --small`
    skip = ["aligned"]             # left out; who reads this step reads what it would have read

    [small.steps.photos]           # names a stage: takes the step's place
    stage = "phantom"
    people = 40

    [small.steps.all-gan]          # otherwise changes some of the step's settings and inputs
    kimg = 0.05
    from = { base = "phantom-64" }

    [small.steps.realism]
    unset = ["detector"]           # settings that go back to their default

`[published]` says how many photos of which classes a dry run without photos reckons with.
"""

from __future__ import annotations

import dataclasses
import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anonderm.core.config import check, from_dict, typed
from anonderm.core.errors import ConfigError, MissingPath

_SEE = "Recipes are TOML files; see recipes/."

Body = dict[str, Any]


@dataclass(frozen=True)
class Published:
    photos: int
    classes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Small:
    title: str = ""
    classes: tuple[str, ...] | None = None
    skip: tuple[str, ...] = ()
    steps: dict[str, Body] = field(default_factory=dict)


@dataclass(frozen=True)
class RecipeFile:
    """A step is still what the file says: `stage`, `from`, and settings."""

    title: str = ""
    classes: tuple[str, ...] | None = None
    published: Published | None = None
    steps: dict[str, Body] = field(default_factory=dict)
    small: Small | None = None

    @property
    def takes_photos(self) -> bool:
        return self.classes is None or any("{data}" in body.values() for body in self.steps.values())


def read_file(path: Path, small: bool = False) -> RecipeFile:
    """Raises MissingPath, and ConfigError (file and table), also where there is no small form."""
    tables = _toml(path)
    for name, kind in (("small", Small), ("published", Published)):
        if name in tables:
            where = f"{path} [{name}]"
            tables[name] = from_dict(kind, typed(dict[str, Any], tables[name], where), where)
    content = from_dict(RecipeFile, tables, str(path))
    return _in_small(path, content) if small else content


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingPath(f"{path}: no such recipe.", _SEE) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).", _SEE) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error}).") from error


def _in_small(path: Path, content: RecipeFile) -> RecipeFile:
    small = content.small
    if small is None:
        raise ConfigError(f"{path}: has no small form.", "Run it without --small.")
    for name in (*small.steps, *small.skip):
        near = difflib.get_close_matches(name, content.steps, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else f"Steps: {', '.join(content.steps)}."
        check(name in content.steps, f"{path} [small]: there is no step {name!r}.", hint)
    steps = {
        name: _changed(f"{path} [small.steps.{name}]", body, small.steps.get(name, {}))
        for name, body in content.steps.items()
    }
    for name in small.skip:
        steps = _without(f"{path} [small] skip", steps, name)
    title = small.title or f"{content.title or path.stem}: small, on drawn faces"
    classes = content.classes if small.classes is None else small.classes
    return dataclasses.replace(content, title=title, classes=classes, steps=steps)


def _changed(where: str, body: Body, changes: Body) -> Body:
    if "stage" in changes:
        return changes
    changes = dict(changes)
    unset = typed(list[str], changes.pop("unset", []), f"{where}: unset")
    strange = [name for name in unset if name not in body]
    check(not strange, f"{where}: unset = {unset}: the step has no {', '.join(strange)}.")
    sources = {**body.get("from", {}), **typed(dict[str, Any], changes.pop("from", {}), f"{where}: from")}
    kept = {name: value for name, value in body.items() if name not in unset}
    return {**kept, **({"from": sources} if sources else {}), **changes}


def _without(where: str, steps: dict[str, Body], name: str) -> dict[str, Body]:
    """The steps without this one; its name becomes that of the one step or set of weights that it reads."""
    read = list(_references(steps[name].get("from", {}).values()))
    check(len(read) == 1, f"{where}: {name} reads {len(read)} inputs; only a step that reads one can go.")
    return {other: _reading(body, name, read[0]) for other, body in steps.items() if other != name}


def _reading(body: Body, old: str, new: str) -> Body:
    if not isinstance(body.get("from"), dict):
        return body
    sources = {key: _renamed(value, old, new) for key, value in body["from"].items()}
    return {**body, "from": sources}


def _renamed(value: Any, old: str, new: str) -> Any:
    if isinstance(value, list):
        return list(dict.fromkeys(new if each == old else each for each in value))
    return new if value == old else value


def _references(values: Iterable[Any]) -> Iterable[str]:
    for value in values:
        yield from value if isinstance(value, list) else [value]
