"""Photos as an adapter finds them: where the bytes lie, and what the source says about each."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import InputError, MissingPath, UnreadableImage
from anonderm.core.images import Pixels, decode_image
from anonderm.core.records import Lesion


class Place(Protocol):
    """Where an image's bytes lie: a file, a member of a ZIP, a cell of a table."""

    def read(self) -> bytes:
        """Raises MissingPath or UnreadableImage, whose messages say what is wrong but not where."""

    @property
    def stamp(self) -> str:
        """Says which place this is, and changes when what lies there does."""

    @property
    def suffix(self) -> str:
        """What a file of these bytes is called at its end, with the dot, in small letters."""


class Mask(Protocol):
    """A skin mask that a source holds."""

    def read(self) -> NDArray[np.bool_]:
        """bool [H, W], of the whole photo but not always of its size. Raises InputError."""


@dataclass(frozen=True, slots=True)
class Photo:
    """An image, and what its source says about it; everything but the name and the place may be unknown.

    name: unique, in printable form; the path below the source folder, or inside the ZIP or table.
    label: the class. subject: who is shown. split: train, val or test, as the source has it.
    original: the photo of which this one is an augmented copy; copies of one original show one person.
    lesions: boxes in pixels of the picture as displayed (turned as EXIF says) or, where `boxes_in` is given,
    of a picture that is `boxes_in` = (width, height) large: (1, 1) for shares of width and height.
    lesion_types: kinds of lesion seen, where a source tells them without boxes or besides.
    credit: whom the licence asks to name.
    """

    name: str
    place: Place
    label: str | None = None
    subject: str | None = None
    split: str | None = None
    original: str | None = None
    lesions: tuple[Lesion, ...] = ()
    boxes_in: tuple[float, float] | None = None
    lesion_types: tuple[str, ...] = ()
    mask: Mask | None = None
    licence: str = ""
    credit: str = ""

    def read(self) -> bytes:
        """The image file. Raises MissingPath or UnreadableImage."""
        try:
            return self.place.read()
        except InputError as error:
            raise type(error)(f"{self.name}: {error.message}", error.hint) from error

    def pixels(self) -> Pixels:
        """uint8 RGB [H, W, 3], as displayed. Raises MissingPath or UnreadableImage."""
        return decode_image(self.read(), self.name)


Kind = Literal[
    # faults of the source
    "photo missing",
    "label unknown",
    "split unknown",
    "licence unknown",
    "skin mask missing",
    "box unusable",
    "named twice",
    "name outside the ZIP",
    # of the photos themselves
    "unreadable",
    "too small",
    "duplicate",
    "near duplicate",
    "two labels",
    "box outside its photo",
]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A photo, or something that was said about one, that is left out, and why; `kind` is what to mend."""

    file: str
    reason: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Found:
    """What an adapter found: photos in the order of their ids, what it had to leave out, and how many other
    files lie there, by suffix."""

    photos: tuple[Photo, ...]
    skipped: tuple[Skipped, ...] = ()
    ignored: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class File:
    """The bytes of a file of their own."""

    path: Path

    def read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError as error:
            raise MissingPath("no such file.") from error
        except OSError as error:
            raise UnreadableImage(f"cannot be read ({error.strerror}).") from error

    @property
    def stamp(self) -> str:
        return stamp(self.path)

    @property
    def suffix(self) -> str:
        return self.path.suffix.lower()


def stamp(path: Path) -> str:
    """The path, with the size and time of the file there."""
    place = printable(str(path.absolute()))
    try:
        state = path.stat()
    except OSError:  # a link that leads nowhere: reading it names the problem
        return place
    return f"{place} {state.st_size} {state.st_mtime_ns}"


def printable(name: str | Path) -> str:
    """A file name; bytes of it that are not UTF-8 are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
