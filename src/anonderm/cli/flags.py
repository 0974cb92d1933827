"""Flags derived from configuration classes, parsed by tyro.

Help shows required inputs and the most used flags first; tyro puts the rest into a box called "more options".
"""

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from anonderm.core.errors import AnondermError
from anonderm.core.names import nearest
from anonderm.core.setting_words import shown

REQUIRED: Any = object()

_MORE = "more"
_SWITCH = {"true": "--", "false": "--no-"}


@dataclass(frozen=True)
class Flag:
    """A flag of a command. A `positional` one may be given without its name; `more` ones are less used."""

    name: str
    type: Any
    help: str
    default: Any = REQUIRED
    positional: bool = False
    more: bool = False
    metavar: str | None = None

    @property
    def shown(self) -> str:
        return self.name.replace("_", "-")


def flags_of(cls: Any, common: Collection[str] | None = None) -> list[Flag]:
    """The flags of a configuration class; `common` ones first, in that order (None: all are)."""
    hints = get_type_hints(cls, include_extras=True)
    texts = field_help(cls)
    flags = []
    for field in dataclasses.fields(cls):
        kind, positional = _without_marker(hints[field.name])
        more = common is not None and field.name not in common
        flags.append(Flag(field.name, kind, texts[field.name], _default(field), positional, more))
    order = list(common or ())
    return sorted(flags, key=lambda flag: order.index(flag.name) if flag.name in order else len(order))


def field_help(cls: type) -> dict[str, str]:
    """The string under each field of a dataclass and its bases, as one line."""
    found = {}
    for base in reversed(cls.__mro__):
        if dataclasses.is_dataclass(base):
            tree: Any = ast.parse(textwrap.dedent(inspect.getsource(cast(type, base))))
            for field, text in pairwise(tree.body[0].body):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    is_string = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
                    help_text = ast.literal_eval(text.value) if is_string else ""
                    found[field.target.id] = " ".join(help_text.split())
    return found


def parse(
    command: str,
    description: str,
    flags: list[Flag],
    arguments: list[str],
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The value of every flag, by its name. Prints help and exits if the arguments ask for it.

    elsewhere: flags that users look for here, and the commands that have them. Raises AnondermError for an
    unknown flag, with the nearest one.
    """
    arguments = list(_normalised(command, flags, arguments, elsewhere))
    named = {argument.partition("=")[0] for argument in arguments}
    fields = {flag: _field(flag, flag.positional and f"--{flag.shown}" not in named) for flag in flags}
    members = [fields[flag] for flag in flags if not flag.more]
    more = [fields[flag] for flag in flags if flag.more]
    if more:
        rest: Any = tyro.conf.OmitArgPrefixes[_dataclass("More", more)]  # type: ignore[misc]
        members.append((_MORE, rest, dataclasses.field()))
    values = tyro.cli(
        _dataclass("Command", members),
        prog=f"anonderm {command}",
        description=description,
        args=arguments,
        registry=_NUMBERS,
    )
    return {flag.name: getattr(getattr(values, _MORE) if flag.more else values, flag.name) for flag in flags}


_NUMBERS = ConstructorRegistry()
_READ: dict[Any, tuple[Callable[[str], float], str, str]] = {
    int: (int, "INT", "not a whole number, such as 64"),
    float: (float, "FLOAT", "not a number, such as 0.5"),
}


@_NUMBERS.primitive_rule
def _number(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """How tyro reads a number, or several, with an error in our words."""
    many = get_origin(info.type) is tuple
    kinds = [_without_bounds(each) for each in get_args(info.type)] if many else [info.type]
    if not kinds or kinds[0] not in _READ:
        return None
    read, metavar, problem = _READ[kinds[0]]
    any_count = Ellipsis in kinds

    def parsed(words: list[str]) -> Any:
        for word in words:
            try:
                read(word)
            except ValueError as error:
                raise ValueError(f"{shown(word)} is {problem}") from error
        return tuple(map(read, words)) if many else read(words[0])

    return PrimitiveConstructorSpec(
        nargs="*" if any_count else len(kinds),
        metavar=f"[{metavar} [{metavar} ...]]" if any_count else " ".join([metavar] * len(kinds)),
        instance_from_str=parsed,
        is_instance=lambda value: isinstance(value, tuple if many else int | kinds[0]),
        str_from_instance=lambda value: [str(each) for each in (value if many else (value,))],
    )


def _without_bounds(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _without_marker(hint: Any) -> tuple[Any, bool]:
    """A type without tyro's mark of a positional argument, and whether it had that mark."""
    if get_origin(hint) is not Annotated:
        return hint, False
    kind, *metadata = get_args(hint)
    kept = [each for each in metadata if each is not tyro.conf.Positional]
    return (Annotated[(kind, *kept)] if kept else kind), len(kept) < len(metadata)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return REQUIRED if field.default is dataclasses.MISSING else field.default


def _field(flag: Flag, positional: bool) -> tuple[str, Any, Any]:
    """What dataclasses.make_dataclass takes, with tyro's annotations."""
    hint = "(required)" if flag.default is REQUIRED else "" if flag.default in (None, "", ()) else None
    metavar = flag.metavar or (flag.shown.upper() if positional else None)
    argument = tyro.conf.arg(help=flag.help, metavar=metavar, help_behavior_hint=hint)
    annotated: Any = Annotated[flag.type, argument]
    if flag.default is None:
        annotated = Annotated[annotated, tyro.conf.DisallowNone]
    if positional:
        annotated = tyro.conf.Positional[annotated]  # type: ignore[misc]
    if flag.default is REQUIRED:
        return flag.name, annotated, dataclasses.field()
    return flag.name, annotated, dataclasses.field(default=flag.default)


def _dataclass(name: str, fields: list[tuple[str, Any, Any]]) -> Any:
    return dataclasses.make_dataclass(name, fields, frozen=True, kw_only=True)


def _normalised(
    command: str, flags: Iterable[Flag], arguments: list[str], elsewhere: Mapping[str, str]
) -> Iterator[str]:
    """The arguments, checked for unknown flags; `--switch=false` becomes `--no-switch`."""
    switches = {flag.shown for flag in flags if flag.type is bool}
    known = {"help"} | {flag.shown for flag in flags} | {f"no-{name}" for name in switches}
    for argument in arguments:
        written, equals, value = argument.partition("=")
        name = written.removeprefix("--").replace("_", "-")
        if not argument.startswith("--") or argument == "--":
            yield argument
        elif name not in known:
            raise _unknown_flag(command, name, known, elsewhere)
        elif name in switches and equals:
            if value.lower() not in _SWITCH:
                raise AnondermError(
                    f"{command}: {argument}: must be true or false.", f"Give --{name} or --no-{name}."
                )
            yield _SWITCH[value.lower()] + name
        else:
            yield f"--{name}{equals}{value}"


def _unknown_flag(
    command: str, name: str, known: Collection[str], elsewhere: Mapping[str, str]
) -> AnondermError:
    near = nearest(name, known)
    meant = f"Did you mean --{near}? " if near else ""
    if name in elsewhere:
        meant = f"`anonderm {elsewhere[name]}` has it. "
    return AnondermError(
        f"{command}: unknown flag --{name}.", f"{meant}`anonderm {command} --help` lists all flags."
    )
