"""Configuration: a frozen dataclass a stage, read from and written to TOML."""

import dataclasses
import json
import shlex
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

from annotated_types import Ge, Gt, Le

from anonderm.core.errors import ConfigError
from anonderm.core.names import nearest
from anonderm.core.setting_words import Form, allowed, problem, remedy, shown

T = TypeVar("T")

Count = Annotated[int, Ge(1), Le(10**9)]
"""A whole number from 1 to a billion."""
Batch = Annotated[int, Ge(1), Le(4096)]
"""How many images are computed together."""
Side = Annotated[int, Ge(8), Le(4096)]
"""Pixels along a side of an image."""
Whole = Annotated[int, Ge(0), Le(2**32 - 1)]
"""A whole number from 0 to the largest seed."""
Positive = Annotated[float, Gt(0), Le(10**6)]
"""A number above 0, to a million: no length of training, rate or weight is larger."""
NonNegative = Annotated[float, Ge(0), Le(10**6)]
"""A number from 0 to a million."""
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
                f"{field.name} = {shown(value)}: {problem(error)}.", _remedy(cls, field, _as_flag)
            ) from error


@cache
def _adapter(cls: Any, name: str) -> Any:
    import pydantic

    return pydantic.TypeAdapter(get_type_hints(cls, include_extras=True)[name])


def _as_flag(name: str, value: Any) -> str:
    return _flag(name, _plain(value))


def _as_toml(name: str, value: Any) -> str:
    return f"{name} = {json.dumps(_plain(value), ensure_ascii=False)}"


def _remedy(cls: Any, field: dataclasses.Field[Any], form: Form) -> str:
    hint = get_type_hints(cls, include_extras=True)[field.name]
    return remedy(field, hint, form, lambda value: _is_allowed(cls, field.name, value))


def _is_allowed(cls: Any, name: str, value: Any) -> bool:
    import pydantic

    try:
        _adapter(cls, name).validate_python(value)
    except pydantic.ValidationError:
        return False
    return True


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
        raise ConfigError(
            f"{place} = {shown(first['input'])}: {problem(error)}.", _hint(kind, first["loc"])
        ) from error


def _hint(kind: Any, place: tuple[int | str, ...]) -> str:
    """The remedy for a value at this place of a dataclass, or of a plain type."""
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    field = next((each for each in fields if each.name in place[:1]), None)
    return _remedy(kind, field, _as_toml) if field else f"Give {allowed(kind) or 'another value'}."


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
