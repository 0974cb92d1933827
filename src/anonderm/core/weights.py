"""The register of weights that are not the output of a user's own run.

Nothing that was trained on other people's photos ships with the package: the shipped weights were trained on
phantom faces, which the package draws itself. Third-party weights are described in weights/third_party.toml;
a user adds or fetches them into a folder of their own.
"""

import os
import shutil
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

from anonderm.core.checkpoint import Checkpoint
from anonderm.core.documents import read_json
from anonderm.core.errors import BrokenArtefact, MissingPath, MissingWeights
from anonderm.core.files import atomic_path, sha256_file, write_json

_FOLDER = Path(__file__).parents[1] / "weights"
_DIGESTS = "sha256.json"  # digests at first use of files for which the register has none

Lookup = Callable[[], object]


"""Looks up weights; raises MissingWeights, MissingPath or BrokenArtefact if they cannot be used."""


@dataclass(frozen=True, slots=True)
class ShippedWeights:
    """A checkpoint that ships with the package; `made_by` is the stage that trained it."""

    name: str
    made_by: str
    purpose: str
    licence: str = "Apache-2.0"

    @property
    def path(self) -> Path:
        return _FOLDER / f"{self.name}.safetensors"


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A published file; `url` is None if it can only be downloaded by hand."""

    file: str
    sha256: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class ThirdPartyWeights:
    """`page`: where to get them; `expects`: the input of the network."""

    name: str
    purpose: str
    licence: str
    page: str
    expects: str
    files: tuple[WeightsFile, ...]
    note: str = ""

    @property
    def folder(self) -> Path:
        return user_folder() / self.name

    @property
    def path(self) -> Path:
        """The place of the file, or the folder if there are several files."""
        return self.folder / self.files[0].file if len(self.files) == 1 else self.folder

    @property
    def can_be_fetched(self) -> bool:
        return all(each.url for each in self.files)

    @property
    def is_present(self) -> bool:
        return all((self.folder / each.file).is_file() for each in self.files)


SHIPPED = {
    weights.name: weights
    for weights in (
        ShippedWeights(
            "phantom-64",
            "train-gan",
            "GAN of healthy phantom faces, 64 px: the base for `train-gan --base phantom-64`",
        ),
        ShippedWeights(
            "phantom-encoder",
            "train-encoder",
            "face embedding with 128 dimensions, trained on phantom faces, for fidelity and privacy",
        ),
        ShippedWeights(
            "phantom-skin",
            "train-skin",
            "skin segmentation, trained on phantom faces: the default of `skin`",
        ),
    )
}


@cache
def third_party() -> dict[str, ThirdPartyWeights]:
    """The registered third-party weights, by name."""
    tables = tomllib.loads((_FOLDER / "third_party.toml").read_text(encoding="utf-8"))
    return {
        name: ThirdPartyWeights(
            name, **{**table, "files": tuple(WeightsFile(**each) for each in table["files"])}
        )
        for name, table in tables.items()
    }


def user_folder() -> Path:
    """Where third-party weights are kept: ANONDERM_WEIGHTS, or the platform's folder for application data."""
    if chosen := os.environ.get("ANONDERM_WEIGHTS"):
        return Path(chosen)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "anonderm" / "weights"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "anonderm" / "weights"


def load(name: str) -> Checkpoint:
    """A shipped checkpoint. Raises MissingWeights, with the known names."""
    if name not in SHIPPED:
        raise MissingWeights(f"There are no shipped weights {name!r}.", f"Known: {', '.join(SHIPPED)}.")
    path = SHIPPED[name].path
    if not path.exists():
        raise MissingWeights(f"{path}: the shipped weights {name!r} are missing.", "Reinstall anonderm.")
    return Checkpoint.load(path)


def third_party_named(name: str) -> ThirdPartyWeights:
    """Raises MissingWeights, with the known names."""
    known = third_party()
    if name not in known:
        raise MissingWeights(f"There are no third-party weights {name!r}.", f"Known: {', '.join(known)}.")
    return known[name]


def locate(name: str) -> Path:
    """The user's copy of third-party weights: the file, or the folder of several. Its digests are checked.

    Raises BrokenArtefact, or MissingWeights with a hint how to get them.
    """
    wanted = third_party_named(name)
    missing = [each.file for each in wanted.files if not (wanted.folder / each.file).is_file()]
    if missing:
        raise MissingWeights(f"{wanted.folder / missing[0]}: these weights are missing.", how_to_get(wanted))
    for each in wanted.files:
        path = wanted.folder / each.file
        expected, found = each.sha256 or _recorded(wanted).get(each.file), sha256_file(path)
        if expected is None:
            _record(wanted, {each.file: found})
        elif found != expected:
            raise BrokenArtefact(
                f"{path}: not the expected file (its sha256 is {found}).", "Add or fetch it again."
            )
    return wanted.path


def find(reference: str) -> Path:
    """A user's weights by their path, third-party ones by their name. Raises MissingPath, or as `locate`."""
    if reference in third_party():
        return locate(reference)
    if not Path(reference).exists():
        raise MissingPath(
            f"{reference}: no such weights, neither a file nor a registered name.",
            "Give a file, or a name from `anonderm weights list`.",
        )
    return Path(reference)


def lookups(*references: str | None) -> list[Lookup]:
    """Look-ups of these weights, by registered name or path, for the `needs` of a stage; None names none."""
    return [partial(find, reference) for reference in references if reference]


def how_to_get(wanted: ThirdPartyWeights) -> str:
    source = "FILE" if len(wanted.files) == 1 else "FOLDER"
    get = f"Get them from {wanted.page}, then run `anonderm weights add {wanted.name} {source}`"
    fetch = f"; or run `anonderm weights fetch {wanted.name}`" if wanted.can_be_fetched else ""
    return f"{get}{fetch}. {wanted.note}".strip()


def add(name: str, source: Path) -> Path:
    """Copy third-party weights, a file or the folder that holds all of them, to where `locate` finds them.

    Files in a folder are found by name at any depth. Returns the same path as `locate`. Raises MissingWeights
    (unknown name), MissingPath, or BrokenArtefact (not the published file).
    """
    wanted = third_party_named(name)
    found = {each.file: _find(wanted, each, source) for each in wanted.files}
    digests = {file: sha256_file(path) for file, path in found.items()}
    for each in wanted.files:
        if each.sha256 not in (None, digests[each.file]):
            raise BrokenArtefact(
                f"{found[each.file]}: not the published {each.file} (its sha256 is {digests[each.file]}).",
                f"Get it again from {wanted.page}. Stages also take other weights by the path of their file.",
            )
    for file, path in found.items():
        with atomic_path(wanted.folder / file) as temporary:
            shutil.copyfile(path, temporary)
    _record(wanted, digests)
    return wanted.path


def _find(wanted: ThirdPartyWeights, each: WeightsFile, source: Path) -> Path:
    if not source.exists():
        raise MissingPath(f"{source}: no such file or folder.", f"Give {each.file}, or its folder.")
    if source.is_file():
        if len(wanted.files) > 1:
            raise MissingPath(
                f"{source}: a single file, but {wanted.name} has several.",
                "Give the folder with all of them.",
            )
        return source
    path = next((path for path in source.rglob(Path(each.file).name) if path.is_file()), None)
    if path is None:
        raise MissingPath(f"{source}: no {each.file} in this folder.", f"Get it from {wanted.page}.")
    return path


def _recorded(wanted: ThirdPartyWeights) -> dict[str, str]:
    path = wanted.folder / _DIGESTS
    return dict(read_json(path)) if path.exists() else {}


def _record(wanted: ThirdPartyWeights, digests: dict[str, str]) -> None:
    write_json(wanted.folder / _DIGESTS, {**_recorded(wanted), **digests})
