"""The one register of weights that did not come out of the user's own run.

Nothing that was trained on other people's photos ships with the package: what ships was trained on phantom
faces, which the package draws itself. Weights of others are described in weights/others.toml; a user adds or
fetches them into a folder of their own.
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import BrokenArtefact, MissingPath, MissingWeights
from anonderm.core.files import atomic_path, read_json, sha256_file, write_json

SHIPPED = Path(__file__).parents[1] / "weights"
Lookup = Callable[[], object]
"""Looks up weights; raises MissingWeights, MissingPath or BrokenArtefact where they cannot be used."""

_NOTED = "sha256.json"  # digests of the files whose publisher states none, as they were when first seen


@dataclass(frozen=True, slots=True)
class Weights:
    """A checkpoint that ships with the package."""

    name: str
    purpose: str
    licence: str

    @property
    def path(self) -> Path:
        return SHIPPED / f"{self.name}.safetensors"


@dataclass(frozen=True, slots=True)
class OthersFile:
    """One file that somebody else published; `url` where it can be fetched without a person's help."""

    file: str
    sha256: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class OthersWeights:
    """Weights of others: `page` says where a user gets them, `expects` what they take as input."""

    name: str
    purpose: str
    licence: str
    page: str
    expects: str
    files: tuple[OthersFile, ...]
    note: str = ""

    @property
    def folder(self) -> Path:
        return users_folder() / self.name

    @property
    def path(self) -> Path:
        """Where they belong: the file, or the folder of several."""
        return self.folder / self.files[0].file if len(self.files) == 1 else self.folder

    @property
    def can_be_fetched(self) -> bool:
        return all(each.url for each in self.files)

    @property
    def is_here(self) -> bool:
        return all((self.folder / each.file).is_file() for each in self.files)


REGISTER = {
    weights.name: weights
    for weights in (
        Weights(
            "phantom-64",
            "GAN of healthy phantom faces, 64 px: the base for `train-gan --base phantom-64`",
            "Apache-2.0",
        ),
        Weights(
            "phantom-encoder",
            "face embedding of 128 numbers, trained on phantom faces, for fidelity and privacy",
            "Apache-2.0",
        ),
        Weights(
            "phantom-skin",
            "finds facial skin, trained on phantom faces: what `skin` takes unless told otherwise",
            "Apache-2.0",
        ),
    )
}


@cache
def others() -> dict[str, OthersWeights]:
    """The weights of others, by name."""
    tables = tomllib.loads((SHIPPED / "others.toml").read_text(encoding="utf-8"))
    return {
        name: OthersWeights(name, **{**table, "files": tuple(OthersFile(**each) for each in table["files"])})
        for name, table in tables.items()
    }


def users_folder() -> Path:
    """Where a user's copies of others' weights lie: ANONDERM_WEIGHTS, or the platform's place for data."""
    if chosen := os.environ.get("ANONDERM_WEIGHTS"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "anonderm" / "weights"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "anonderm" / "weights"


def load(name: str) -> Checkpoint:
    """A shipped checkpoint. Raises MissingWeights, naming those there are."""
    if name not in REGISTER:
        raise MissingWeights(f"No weights are called {name!r}.", f"Known: {', '.join(REGISTER)}.")
    if not REGISTER[name].path.exists():
        raise MissingWeights(
            f"{REGISTER[name].path}: the shipped weights {name!r} are missing.", "Reinstall anonderm."
        )
    return Checkpoint.load(REGISTER[name].path)


def others_named(name: str) -> OthersWeights:
    """Raises MissingWeights, naming those there are."""
    if name not in others():
        raise MissingWeights(f"No weights of others are called {name!r}.", f"Known: {', '.join(others())}.")
    return others()[name]


def locate(name: str) -> Path:
    """The user's copy of others' weights: the file, or the folder of several; its digests are checked.

    Raises MissingWeights (it says how to get them) or BrokenArtefact.
    """
    wanted = others_named(name)
    missing = [each.file for each in wanted.files if not (wanted.folder / each.file).is_file()]
    if missing:
        raise MissingWeights(f"{wanted.folder / missing[0]}: these weights are not here.", how_to_get(wanted))
    for each in wanted.files:
        path = wanted.folder / each.file
        expected, found = each.sha256 or _noted(wanted).get(each.file), sha256_file(path)
        if expected is None:
            _note(wanted, {each.file: found})
        elif found != expected:
            raise BrokenArtefact(
                f"{path}: not the file that was expected (sha256 {found}).", "Add or fetch it again."
            )
    return wanted.path


def find(given: str) -> Path:
    """A file (or folder) of weights that the user has, or others' weights by their name in the register.

    Raises MissingPath, and what `locate` does.
    """
    if given in others():
        return locate(given)
    if not Path(given).exists():
        raise MissingPath(
            f"{given}: no such weights, neither a file nor a registered name.",
            "Give a file, or a name that `anonderm weights list` shows.",
        )
    return Path(given)


def how_to_get(wanted: OthersWeights) -> str:
    """What a user does to have these weights."""
    source = "FILE" if len(wanted.files) == 1 else "FOLDER"
    get = f"Get them from {wanted.page}, then `anonderm weights add {wanted.name} {source}`"
    fetch = f"; or `anonderm weights fetch {wanted.name}`" if wanted.can_be_fetched else ""
    return f"{get}{fetch}. {wanted.note}".strip()


def add(name: str, source: Path) -> Path:
    """Copy weights that a user has, a file or the folder that holds all of them, into the user's folder.

    Files of a folder are found by name at any depth. Returns what `locate` will. Raises MissingWeights (an
    unknown name), MissingPath, or BrokenArtefact for a file that is not the published one.
    """
    wanted = others_named(name)
    found = {each.file: _find(wanted, each, source) for each in wanted.files}
    digests = {file: sha256_file(path) for file, path in found.items()}
    for each in wanted.files:
        if each.sha256 not in (None, digests[each.file]):
            raise BrokenArtefact(
                f"{found[each.file]}: not the published {each.file} (sha256 {digests[each.file]}).",
                f"Get it again from {wanted.page}. Stages also take other weights by the path of their file.",
            )
    for file, path in found.items():
        with atomic_path(wanted.folder / file) as temporary:
            shutil.copyfile(path, temporary)
    _note(wanted, digests)
    return wanted.path


def _find(wanted: OthersWeights, each: OthersFile, source: Path) -> Path:
    if not source.exists():
        raise MissingPath(f"{source}: no such file or folder.", f"Give {each.file}, or its folder.")
    if source.is_file():
        if len(wanted.files) > 1:
            raise MissingPath(
                f"{source}: a file; {wanted.name} is several.", "Give the folder with all of them."
            )
        return source
    candidates: Iterator[Path] = (path for path in source.rglob(Path(each.file).name) if path.is_file())
    path = next(candidates, None)
    if path is None:
        raise MissingPath(f"{source}: no {each.file} in this folder.", f"Get it from {wanted.page}.")
    return path


def _noted(wanted: OthersWeights) -> dict[str, str]:
    path = wanted.folder / _NOTED
    return dict(read_json(path)) if path.exists() else {}


def _note(wanted: OthersWeights, digests: dict[str, str]) -> None:
    write_json(wanted.folder / _NOTED, {**_noted(wanted), **digests})
