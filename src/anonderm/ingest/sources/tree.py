"""The files below a source folder, looked up by the names that label files give them."""

from __future__ import annotations

import json
import os
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError, MissingPath
from anonderm.core.images import IMAGE_SUFFIXES
from anonderm.ingest.sources.photo import File, Found, Photo, Skipped, printable

_HIDDEN_FOLDERS = {"__MACOSX"}  # what macOS adds to its ZIPs
_SPLITS = {
    "train": "train",
    "training": "train",
    "trainval": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_COPY = re.compile(r"(.+)\.rf\.[0-9a-zA-Z]+\.\w+")  # Roboflow: NAME.rf.HASH.jpg, several for one photo


class Tree:
    """Every file below `root`, but hidden ones. Links to folders are not followed, so loops do no harm.

    files: name below the root -> path. Names are posix paths in printable form, composed (NFC), so that they
    compare equal whichever system wrote them. Raises MissingPath.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise MissingPath(f"{root}: no such folder.", "Give the folder that holds the data set.")
        self.root = root
        self.files = {_composed(printable(path.relative_to(root))): path for path in sorted(_walk(root))}

    @property
    def images(self) -> list[str]:
        return [name for name in self.files if posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES]

    def find(self, said: str, below: str = "") -> str | None:
        """The name of the file that a label file in folder `below` calls `said`.

        None where there is no such file, and for whatever lies outside the root.
        """
        name = posixpath.normpath(posixpath.join(below, _composed(said.strip()).replace("\\", "/")))
        return name if name in self.files else None

    def named(self, file_name: str) -> list[str]:
        """The files of this very name, wherever they lie."""
        return [name for name in self.files if posixpath.basename(name) == file_name]

    def photo(self, name: str) -> Photo:
        """The photo in this file; the name of a copy made by augmentation tells its original."""
        copy = _COPY.fullmatch(posixpath.basename(name))
        return Photo(name, File(self.files[name]), original=copy[1] if copy else None)

    def found(
        self,
        photos: Collection[Photo],
        skipped: Collection[Skipped],
        read: Collection[str] = (),
        below: str = "",
        complete: bool = True,
    ) -> Found:
        """The photos in order of their names, one a name, and what is left out.

        `read`: names of the label files, which do not count as ignored. Every image in folder `below` should
        have been named, and is listed as skipped otherwise; not so where a set is no `complete` list.
        """
        by_name = {photo.name: photo for photo in reversed(tuple(photos))}
        again = (photo.name for photo in photos if by_name[photo.name] is not photo)
        twice = [
            Skipped(name, "named a second time; the first entry counts", "named twice") for name in again
        ]
        known = by_name.keys() | {item.file for item in skipped}
        prefix = f"{below}/" if below else ""
        wanted = {name for name in self.images if complete and name.startswith(prefix)}
        unnamed = [
            Skipped(name, "no label file names it", "label unknown") for name in sorted(wanted - known)
        ]
        others = set(self.files) - wanted - known - set(read)
        ignored = Counter(posixpath.splitext(name)[1].lower() for name in others)
        return Found(tuple(by_name[name] for name in sorted(by_name)), (*skipped, *twice, *unnamed), ignored)


def split_of(name: str) -> str | None:
    """The split that a folder in this path is named after: train, val or test."""
    found = [_SPLITS[part.lower()] for part in posixpath.dirname(name).split("/") if part.lower() in _SPLITS]
    return found[0] if found else None


def read_split(word: str) -> str | None:
    """train, val or test for the usual words, whatever their case."""
    return _SPLITS.get(word.strip().lower())


def read_text(path: Path) -> str:
    """The text of a label file: UTF-8, or UTF-16 with its mark; any line ends. Raises InputError."""
    try:
        data = path.read_bytes()
        encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason}).", "Save it as UTF-8.") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}).") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_lines(path: Path) -> list[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1. Raises InputError."""
    lines = enumerate(read_text(path).split("\n"), start=1)
    return [(number, line.strip()) for number, line in lines if line.strip()]


def read_label_json(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object. Raises InputError."""
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON ({error}).", "Get the label file again.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no JSON object.", "Get the label file again.")
    return content


def _walk(root: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in _HIDDEN_FOLDERS]
        yield from (Path(place, file) for file in files if not file.startswith("."))


def _raise(error: OSError) -> None:
    raise error


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
