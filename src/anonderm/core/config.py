"""Configuration: a frozen dataclass a stage, read from and written to TOML."""

import dataclasses
import math
import shlex
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

from annotated_types import Ge, Gt, Le, Predicate

from anonderm.core.errors import ConfigError
from anonderm.core.names import nearest

T = TypeVar("T")

Count = Annotated[int, Ge(1)]
"""A whole number, at least 1."""
Whole = Annotated[int, Ge(0)]
"""A whole number, at least 0."""
Positive = Annotated[float, Gt(0), Predicate(math.isfinite)]
"""A finite number above 0."""
NonNegative = Annotated[float, Ge(0), Predicate(math.isfinite)]
"""A finite number, at least 0."""
Share = Annotated[float, Ge(0), Le(1)]
"""A number from 0 to 1."""


def check(condition: bool, message: str, hint: str = "") -> None:
    """Raise ConfigError unless `condition` holds; for the `__post_init__` of configuration classes."""
    if not condition:
        raise ConfigError(message, hint)


class Settings:
    """The base of configuration classes: on construction, every value is checked against its annotation.

    A class with a `__post_init__` of its own calls `check_bounds(self)` in it first.
    """

    __slots__ = ()

    def __post_init__(self) -> None:
        check_bounds(self)


def check_bounds(config: Any) -> None:
    """Raise ConfigError for the first setting whose value its annotation does not allow."""
    import pydantic

    cls: Any = type(config)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        try:
            _adapter(cls, field.name).validate_python(value)
        except pydantic.ValidationError as error:
            raise ConfigError(
                f"{field.name} = {value!r}: {_problem(error)}.", _default_hint(field)
            ) from error


@cache
def _adapter(cls: Any, name: str) -> Any:
    import pydantic

    return pydantic.TypeAdapter(get_type_hints(cls, include_extras=True)[name])


def _problem(error: Any) -> str:
    """What is wrong, in our words where pydantic compared with a bound."""
    first = error.errors()[0]
    bound = next((text for name, text in _BOUNDS.items() if name in first.get("ctx", {})), None)
    if bound is not None:
        return bound.format(**first["ctx"])
    kind = first["type"].partition("_")[0]
    return _PROBLEMS.get(kind) or first["msg"][:1].lower() + first["msg"][1:]


_BOUNDS = {
    "ge": "must be at least {ge:g}",
    "gt": "must be greater than {gt:g}",
    "le": "must be at most {le:g}",
    "lt": "must be less than {lt:g}",
    "multiple_of": "must be a multiple of {multiple_of:g}",
    "min_length": "must have {min_length:g} or more entries",
}
_PROBLEMS = {
    "finite": "must be finite",
    "predicate": "must be finite",
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "string": "must be text",
    "list": "must be a list",
    "tuple": "must be a list",
}


def _default_hint(field: dataclasses.Field[Any]) -> str:
    if field.default is dataclasses.MISSING:
        return ""
    return "It may be left out." if field.default is None else f"Default: {field.default}."


def from_dict(cls: type[T], values: dict[str, Any], where: str) -> T:
    """Build a configuration from plain values; `where` names the file and table for errors.

    Raises ConfigError for an unknown key (with the nearest known one) or a value that is not allowed.
    """
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            near = nearest(key, known)
            hint = f"Did you mean {near!r}?" if near else f"Known settings: {', '.join(known)}."
            raise ConfigError(f"{where}: unknown setting {key!r}.", hint)
    try:
        return typed(cls, values, where)
    except ConfigError as error:
        if error.message.startswith(where):
            raise
        raise ConfigError(f"{where}: {error.message}", error.hint) from error


def typed(kind: type[T], value: Any, where: str) -> T:
    """A plain value as that type. Raises ConfigError, with `where` and the place inside `value`."""
    import pydantic

    try:
        return pydantic.TypeAdapter(kind).validate_python(value)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        place = f"{where}: {name}" if name else where
        raise ConfigError(f"{place} = {first['input']!r}: {_problem(error)}.") from error


def inherited_settings(cls: type[T], config: Any) -> T:
    """The settings that `config`, of a subclass, has from the configuration class `cls`."""
    names = (field.name for field in dataclasses.fields(cls))  # type: ignore[arg-type]
    return cls(**{name: getattr(config, name) for name in names})


def to_dict(config: Any) -> dict[str, Any]:
    """Every setting with its effective value, as TOML can hold them; settings that are None are left out."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def to_toml(config: Any) -> str:
    import tomli_w

    return tomli_w.dumps(to_dict(config))


def command_line(stage: str, config: Any) -> str:
    """The command with every setting of `config`.

    Without inputs and output, and of a setting's file only the name: folders can name people.
    """
    files = {
        field.name: Path(value.name)
        for field in dataclasses.fields(config)
        if isinstance(value := getattr(config, field.name), Path)
    }
    settings = to_dict(dataclasses.replace(config, **files))
    return " ".join(["anonderm", stage, *(_flag(name, value) for name, value in settings.items())])


def _flag(name: str, value: Any) -> str:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    values = value if isinstance(value, list) else [value]
    return " ".join([f"--{flag}", *(shlex.quote(str(each)) for each in values)])


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """One line for each setting that is not the same in both."""
    names = sorted(old.keys() | new.keys())
    return [
        f"{name}: {old.get(name, '(not set)')} -> {new.get(name, '(not set)')}"
        for name in names
        if old.get(name) != new.get(name)
    ]
