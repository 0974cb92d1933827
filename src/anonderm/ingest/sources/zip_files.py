"""The files inside a ZIP, listed and read as those of a folder are."""

import functools
import posixpath
import zipfile
from dataclasses import dataclass
from pathlib import Path

from anonderm.core.errors import InputError, MissingPath, UnreadableImage
from anonderm.core.names import is_hidden
from anonderm.ingest.sources.listing import Listing, composed
from anonderm.ingest.sources.photo import stamp

_LARGEST = 1 << 30  # bytes of one unpacked member; nothing larger is a photo
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@dataclass(frozen=True, slots=True)
class Member:
    """The bytes of one member of a ZIP file."""

    archive: Path
    name: str

    def read(self) -> bytes:
        return _read(self.archive, self.name, _LARGEST)

    @property
    def stamp(self) -> str:
        return f"{stamp(self.archive)} {self.name}"

    @property
    def suffix(self) -> str:
        return posixpath.splitext(self.name)[1].lower()


class ZipListing(Listing):
    """Every member, except hidden ones and those that would be unpacked outside the target folder (listed).

    Raises MissingPath, or InputError for a file that is no ZIP or whose photos all cannot be unpacked.
    """

    def __init__(self, archive: Path) -> None:
        self.root, self.photos, self.skipped = archive, [], []
        self.members: dict[str, str] = {}
        for member in _open(archive, stamp(archive)).namelist():
            name = composed(member.replace("\\", "/"))
            parts = name.split("/")
            if ".." in parts or parts[0] == "" or ":" in parts[0]:
                self.skip(member, "its path leads out of the ZIP", "path outside the ZIP")
            elif parts[-1] and not any(map(is_hidden, parts)):
                self.members[posixpath.normpath(name)] = member
        self.files = {name: archive / name for name in self.members}
        faults = {name: _fault(archive, self.members[name]) for name in self.images}
        if faults and all(faults.values()):
            name, fault = next(iter(faults.items()))
            raise InputError(f"{archive}: {name} {fault}.", _unpack(archive))

    def place(self, name: str) -> Member:
        return Member(self.root, self.members[name])

    def head(self, name: str, count: int) -> bytes:
        try:
            with _open(self.root, stamp(self.root)).open(self.members[name]) as file:
                return file.read(count)
        except Exception:  # reading it whole names the problem
            return b""

    def read(self, name: str, largest: int) -> bytes:
        """Raises InputError, also for a member of more than `largest` bytes."""
        try:
            return _read(self.root, self.members[name], largest)
        except UnreadableImage as error:
            raise InputError(f"{self.root}: {name}: {error.message}", _unpack(self.root)) from error


def _unpack(archive: Path) -> str:
    return f"Unpack it and give the folder: unzip {archive.name} -d {archive.stem}; --source {archive.stem}"


def _fault(archive: Path, member: str) -> str:
    """Why a member cannot be unpacked, as its entry says; empty if it can."""
    info = _open(archive, stamp(archive)).getinfo(member)
    if info.flag_bits & 1:
        return "is encrypted"
    return "" if info.compress_type in _METHODS else f"is compressed by method {info.compress_type}, not read"


def _read(archive: Path, member: str, largest: int) -> bytes:
    try:
        opened = _open(archive, stamp(archive))
        if opened.getinfo(member).file_size > largest:
            raise UnreadableImage(f"unpacked it has more than {largest >> 20} MB, the limit.")
        if fault := _fault(archive, member):
            raise UnreadableImage(f"cannot be unpacked: it {fault}.")
        return opened.read(member)
    except KeyError as error:
        raise MissingPath("no longer in the ZIP.") from error
    except InputError:
        raise
    except Exception as error:  # damaged in one of many ways
        raise UnreadableImage(f"cannot be unpacked ({error}).") from error


@functools.lru_cache(maxsize=4)
def _open(archive: Path, _state: str) -> zipfile.ZipFile:
    """Kept open, as listing the members takes long; `_state` changes with the file. Threads may share it."""
    try:
        return zipfile.ZipFile(archive)
    except FileNotFoundError as error:
        raise MissingPath(f"{archive}: no such file.") from error
    except Exception as error:  # damaged in one of many ways
        raise InputError(f"{archive}: not a ZIP ({error}).", "Download or export it again.") from error
