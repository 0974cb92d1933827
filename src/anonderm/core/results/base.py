"""A result: a frozen dataclass that is written to results.json and read back, checked field by field."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

from anonderm.core.documents import WrongField, as_type, read_json
from anonderm.core.errors import BrokenArtefact
from anonderm.core.files import write_json

FILE = "results.json"


@dataclass(frozen=True, slots=True)
class Score:
    """A number with its interval (95% unless `note` says otherwise) and how many faces it rests on."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    higher_is_better: bool | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A part of a result that could not be measured, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Result:
    """The base of all results; `kind` names the class in the file.

    Fields have no default: a file without one of them is damaged. What may be missing is `None` in the file.
    """

    kind: ClassVar[str]

    def headline(self) -> dict[str, Score | None]:
        """The scores that the data set card states first, by what they measure in words."""
        return {}

    def scores(self) -> dict[str, Score]:
        """Every score by its place in the file, such as `tstr/f1/mild`."""
        return scores_in(self)

    def save(self, path: Path) -> None:
        write_json(path, {"kind": self.kind, **dataclasses.asdict(self)})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises MissingPath, or BrokenArtefact for a file of another kind or with a wrong field."""
        found = load_result(path)
        if not isinstance(found, cls):
            raise BrokenArtefact(
                f"{path}: a result of kind {found.kind}, not {cls.kind}.",
                "Give the run folder of the stage that this command asks for.",
            )
        return found


def load_result(path: Path) -> Result:
    """A result of any kind. Raises MissingPath, or BrokenArtefact with the field that is wrong."""
    content = read_json(path)
    kind = content.get("kind") if isinstance(content, dict) else None
    if not isinstance(kind, str) or kind not in kinds():
        raise BrokenArtefact(f"{path}: not a file of results.", "Run its stage again, in another folder.")
    fields = {name: value for name, value in content.items() if name != "kind"}
    try:
        return as_type(kinds()[kind], fields)
    except WrongField as error:
        raise BrokenArtefact(
            f"{path}: {error.place}: {error.message}.", "Run its stage again, in another folder."
        ) from error


@cache
def kinds() -> dict[Any, type[Result]]:
    """The class of each kind of result."""
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"anonderm.core.results.{module.name}")
    return {each.kind: each for each in Result.__subclasses__()}


def scores_in(value: Any) -> dict[str, Score]:
    """Every score in a part of a result, by its place there."""
    return dict(_scores_in(value, ()))


def _scores_in(value: Any, place: tuple[str, ...]) -> Iterator[tuple[str, Score]]:
    if isinstance(value, Score):
        yield "/".join(place), value
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            inner = place if field.name == "scores" else (*place, field.name)
            yield from _scores_in(getattr(value, field.name), inner)
    elif isinstance(value, dict):
        for name, each in value.items():
            yield from _scores_in(each, (*place, str(name)))
    elif isinstance(value, tuple | list):
        for number, each in enumerate(value):
            yield from _scores_in(each, (*place, str(getattr(each, "name", number))))
