"""What is wrong with the value of a setting, what it may be, and an example, in words."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

Form = Callable[[str, Any], str]
"""How a setting with its value is written."""


_LONGEST_SHOWN = 200


def problem(error: Any) -> str:
    """What is wrong, in our words where pydantic compared with a bound."""
    first = error.errors()[0]
    bound = next((text for name, text in _BOUNDS.items() if name in first.get("ctx", {})), None)
    if bound is not None:
        return bound.format(**{name: _number(each) for name, each in first["ctx"].items() if name in _BOUNDS})
    kind = first["type"].partition("_")[0]
    if kind == "literal":
        return f"must be {first['ctx']['expected']}"
    return _PROBLEMS.get(kind) or "is of the wrong kind"


def shown(value: Any) -> str:
    """A value of a user's, cut short where it is long."""
    try:
        text = repr(value)
    except ValueError:  # an integer of more than 4,300 digits
        return f"a number of {value.bit_length() // 4} digits or more"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.10g}"


_BOUNDS = {
    "ge": "must be at least {ge}",
    "gt": "must be greater than {gt}",
    "le": "must be at most {le}",
    "lt": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "min_length": "must have {min_length} or more entries",
}
_PROBLEMS = {
    "finite": "must be finite",
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "missing": "is missing",
    "dict": "must be a table",
    "none": "must be left out",
    "path": "must be a path",
    "string": "must be text",
    "list": "must be a list",
    "tuple": "must be a list",
}


def remedy(field: dataclasses.Field[Any], hint: Any, form: Form, is_allowed: Callable[[Any], bool]) -> str:
    """What a setting of this type may be, with an example: its default, or a value that is allowed."""
    words, default = allowed(hint), field.default
    left_out = " It may be left out." if default is None else ""
    if default in (dataclasses.MISSING, None, (), ""):
        example = next((each for each in _examples(hint) if is_allowed(each)), None)
        such_as = f", such as {form(field.name, example)}" if example is not None else ""
    else:
        such_as = f", such as {form(field.name, default)} (the default)"
    return f"Give {words or 'another value'}{such_as}.{left_out}"


def _without_none(hint: Any) -> Any:
    """The first type of a union."""
    return get_args(hint)[0] if get_origin(hint) in (Union, UnionType) else hint


def allowed(hint: Any) -> str:
    """The values that an annotation allows, in words; empty where there is nothing to say."""
    hint = _without_none(hint)
    kind, *bounds = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(map(str, get_args(kind)))
    if get_origin(kind) is dict:
        return _KINDS[dict]
    if get_origin(kind) in (tuple, list):
        inner = allowed(get_args(kind)[0])
        return f"a list, each {inner}" if inner else "a list"
    if kind not in _KINDS:
        return ""
    limits = {name: value for each in bounds for name, value in _limits(each)}
    return " ".join([_KINDS[kind], *(f"{_LIMITS[name]} {_number(value)}" for name, value in limits.items())])


def _limits(bound: Any) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(bound, name)) for name in _LIMITS if hasattr(bound, name))


def _examples(hint: Any) -> Iterator[Any]:
    hint = _without_none(hint)
    kind, *bounds = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if get_origin(kind) is Literal:
        yield from get_args(kind)
    elif kind in (int, float):
        yield kind(1)
        yield from (value for each in bounds for _, value in _limits(each))


_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
    dict: "a table",
}
_LIMITS = {"ge": "from", "gt": "above", "le": "to", "lt": "below", "multiple_of": "in steps of"}
