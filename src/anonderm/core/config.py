"""Configuration: a frozen dataclass a stage, read from and written to TOML."""

from __future__ import annotations

import dataclasses
import difflib
import shlex
from pathlib import Path
from typing import Any, TypeVar

from anonderm.core.errors import ConfigError

T = TypeVar("T")


def check(condition: bool, message: str, hint: str = "") -> None:
    """Raise ConfigError unless `condition` holds; for the `__post_init__` of configuration classes."""
    if not condition:
        raise ConfigError(message, hint)


def from_dict(cls: type[T], values: dict[str, Any], where: str) -> T:
    """Build a configuration from plain values; `where` names the file and table for errors.

    Raises ConfigError for an unknown key (with the nearest known one) or a value of the wrong type.
    """
    known = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known settings: {', '.join(known)}."
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
        raise ConfigError(f"{place} = {first['input']!r}: {first['msg']}.") from error


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
