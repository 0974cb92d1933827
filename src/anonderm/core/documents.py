"""Reading JSON, YAML and TOML that others wrote: limited in size and depth, with an error for odd content."""

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from anonderm.core.errors import BrokenArtefact, InputError, MissingPath
from anonderm.core.files import read_bytes

T = TypeVar("T")

LARGEST = 512 << 20
"""Bytes of a label file; COCO's own list of boxes in 118,000 photos has 449 MB."""

_LARGEST_SETTINGS = 4 << 20  # of a YAML or TOML file
_DEEPEST_YAML = 20
_AGAIN = "Download or export it again."
_NUMBER = re.compile(r"[-+]?(0x[0-9a-fA-F_]+|[0-9][0-9_b:.]*)")
_LONGEST_NUMBER = 64  # characters in YAML; a number in base 60 takes the square of its length in time
_LARGEST_NUMBER = 1023  # bits of a whole number in TOML; no float holds more
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def read_text(path: Path, largest: int = LARGEST) -> str:
    """The text of a file: UTF-8, or UTF-16 with a byte order mark; any line ends. Raises InputError."""
    try:
        size = path.stat().st_size
        if size > largest:
            raise InputError(f"{path}: {size >> 20} MB; the limit is {largest >> 20} MB.", "Divide it.")
        data = read_bytes(path)
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not UTF-8 text ({error.reason}).", "Save it as UTF-8 (in Excel: file type CSV UTF-8)."
        ) from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}).",
            "Check its permissions, and that it is a regular file.",
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def parse_json(
    text: str | bytes, where: str, object_hook: Callable[[dict[str, Any]], Any] | None = None
) -> Any:
    """`where` names the text in errors. Raises InputError, also for text that no file could hold."""
    try:
        value = json.loads(text, object_hook=object_hook)
        if _SURROGATE.search(text.encode("utf-8") if isinstance(text, str) else text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{where}: not valid JSON ({what}).", _AGAIN) from error
    return value


class WrongField(Exception):
    """`place`: the first wrong or missing field, "" for the whole; `message`: what pydantic says."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place, self.message = place, message


def as_type(kind: type[T], content: Any) -> T:
    """What was read from JSON as a value of that type, every field by its annotation. Raises WrongField."""
    import pydantic

    try:
        return pydantic.TypeAdapter(kind).validate_json(json.dumps(content), strict=True)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise WrongField(".".join(str(part) for part in first["loc"]), first["msg"]) from error


def read_json(path: Path) -> Any:
    """The JSON of an artefact. Raises MissingPath or BrokenArtefact, naming the file."""
    if not path.exists():
        raise MissingPath(
            f"{path}: no such file.", "Check the path; or make it again with the command that writes it."
        )
    try:
        return parse_json(read_text(path), str(path))
    except InputError as error:
        raise BrokenArtefact(error.message, "Restore it or make it again.") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Raises InputError."""
    text = read_text(path, _LARGEST_SETTINGS)
    try:
        content = tomllib.loads(text)
        _check_numbers(content)
    except RecursionError as error:
        raise InputError(f"{path}: not valid TOML (nested too deeply).", "Correct it.") from error
    except ValueError as error:  # also for integers of more than 4,300 digits
        raise InputError(f"{path}: not valid TOML ({error}).", "Correct it.") from error
    return content


def _check_numbers(value: Any) -> None:
    """Raises ValueError for a whole number that is too large to be printed; TOML can hold it as 0xff..."""
    if isinstance(value, int) and value.bit_length() > _LARGEST_NUMBER:
        raise ValueError("a number of more than 300 digits")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_numbers(each)


def read_yaml(path: Path) -> Any:
    """Raises InputError."""
    return parse_yaml(read_text(path, _LARGEST_SETTINGS), str(path))


def parse_yaml(text: str, where: str) -> Any:
    """A YAML document without aliases, which could expand without end. Raises InputError."""
    try:
        import yaml

        _check_events(yaml, text)
        return yaml.safe_load(text)
    except InputError:
        raise
    except RecursionError as error:
        raise InputError(f"{where}: not valid YAML (nested too deeply).", "Correct it.") from error
    except (
        yaml.YAMLError,
        ValueError,
        TypeError,
        OverflowError,
    ) as error:  # odd scalars: `!!int x`, bad dates
        raise InputError(
            f"{where}: not valid YAML ({' '.join(str(error).split())}).", "Correct it."
        ) from error


def _check_events(yaml: Any, text: str) -> None:
    """Raises ValueError for aliases, long numbers and deep nesting, before anything is built."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"line {event.start_mark.line + 1}: aliases are not read; write the value out")
        if isinstance(event, yaml.ScalarEvent):
            event.value.encode("utf-8")  # not for halves of surrogate pairs, which no file could hold
            if len(event.value) > _LONGEST_NUMBER and _NUMBER.fullmatch(event.value):
                line = event.start_mark.line + 1
                raise ValueError(f"line {line}: a number of {len(event.value)} characters")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST_YAML:
            raise ValueError(f"nested more than {_DEEPEST_YAML} deep")
