"""Images inside a ZIP file, read without unpacking it."""

from __future__ import annotations

import functools
import posixpath
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from anonderm.core.errors import InputError, MissingPath, UnreadableImage
from anonderm.core.names import is_hidden
from anonderm.ingest.sources.photo import Skipped, stamp

_LARGEST = 1 << 30  # bytes of one unpacked member; nothing larger is a photo


@dataclass(frozen=True, slots=True)
class Member:
    """The bytes of one member of a ZIP file."""

    archive: Path
    name: str

    def read(self) -> bytes:
        return _read(self.archive, self.name)

    @property
    def stamp(self) -> str:
        return f"{stamp(self.archive)} {self.name}"

    @property
    def suffix(self) -> str:
        return posixpath.splitext(self.name)[1].lower()


def members(archive: Path) -> tuple[list[str], list[Skipped]]:
    """The names of the files in a ZIP file, and those that would be unpacked outside the target folder.

    Raises MissingPath or InputError.
    """
    names, skipped = [], []
    for name in dict.fromkeys(_open(archive, stamp(archive)).namelist()):
        parts = name.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            skipped.append(Skipped(name, "its path leads out of the ZIP", "path outside the ZIP"))
        elif parts[-1] and not any(map(is_hidden, parts)):
            names.append(name)
    return names, skipped


def read_member(archive: Path, name: str) -> bytes:
    """Raises InputError."""
    try:
        return _read(archive, name)
    except UnreadableImage as error:
        raise InputError(
            f"{archive}: {name}: {error.message}", "Download or export the ZIP again."
        ) from error


def _read(archive: Path, name: str) -> bytes:
    try:
        opened = _open(archive, stamp(archive))
        if opened.getinfo(name).file_size > _LARGEST:
            raise UnreadableImage(f"larger than {_LARGEST} bytes.")
        return opened.read(name)
    except KeyError as error:
        raise MissingPath("no longer in the ZIP.") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise UnreadableImage(f"cannot be unpacked ({error}).") from error


@functools.lru_cache(maxsize=4)
def _open(archive: Path, _state: str) -> zipfile.ZipFile:
    """Kept open, as listing the members takes long; `_state` changes with the file. Threads may share it."""
    try:
        return zipfile.ZipFile(archive)
    except FileNotFoundError as error:
        raise MissingPath(f"{archive}: no such file.") from error
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{archive}: not a ZIP ({error}).", "Download or export it again.") from error
