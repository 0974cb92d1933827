"""Photos as an adapter finds them: where their bytes are, and what the source states about each."""

import os
import posixpath
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from anonderm.core.decode import MOST_MEGAPIXELS
from anonderm.core.errors import InputError, MissingPath, UnreadableImage
from anonderm.core.files import read_bytes
from anonderm.core.images import Pixels, decode_image, read_image
from anonderm.core.records import Lesion


class Place(Protocol):
    """Where the bytes of an image are: in a file, a member of a ZIP file, or a cell of a table."""

    def read(self) -> bytes:
        """Raises MissingPath or UnreadableImage, whose messages name the problem but not the place."""

    @property
    def stamp(self) -> str:
        """Identifies the place, and changes when its content does."""

    @property
    def suffix(self) -> str:
        """The suffix of a file of these bytes, with the dot, in lower case."""


@dataclass(frozen=True, slots=True)
class Photo:
    """An image and its annotations in the source; everything except the name and the place may be unknown.

    name: unique, in printable form; the path below the source folder, or inside the ZIP file or table.
    label: the class. subject: the person. split: train, val or test in the source.
    original: the photo of which this one is an augmented copy; copies of one original show one person.
    lesions: boxes in pixels of the displayed picture (rotated per EXIF) or, with `boxes_in`, of a picture of
    this (width, height): (1, 1) for shares of width and height. None: unknown, since the source says nothing
    about them or one of its entries cannot be read; (): the source says that there are none.
    lesion_types: types of lesions on the face, with or without boxes; None and () likewise.
    masks: files whose union is the skin mask, of the whole photo but not necessarily of its size.
    credit: attribution that the licence requires.
    """

    name: str
    place: Place
    label: str | None = None
    subject: str | None = None
    split: str | None = None
    original: str | None = None
    lesions: tuple[Lesion, ...] | None = None
    boxes_in: tuple[float, float] | None = None
    lesion_types: tuple[str, ...] | None = None
    masks: tuple[Path, ...] = ()
    licence: str = ""
    credit: str = ""

    def with_boxes(
        self, lesions: Iterable[Lesion] | None, boxes_in: tuple[float, float] | None = None
    ) -> "Photo":
        """The photo with these boxes, and with their kinds as lesion types; None where they are unknown."""
        boxes = None if lesions is None else tuple(lesions)
        kinds = None if boxes is None else tuple(sorted({lesion.kind for lesion in boxes}))
        return replace(self, lesions=boxes, boxes_in=boxes_in, lesion_types=kinds)

    def same_lesions(self, other: "Photo") -> bool:
        """Whether both state the same lesions: boxes, or types without boxes."""
        return (self.lesions, self.lesion_types) == (other.lesions, other.lesion_types)

    def read(self) -> bytes:
        """The image file. Raises MissingPath or UnreadableImage."""
        try:
            return self.place.read()
        except InputError as error:
            raise type(error)(f"{self.name}: {error.message}", error.hint) from error

    def pixels(self, max_megapixels: float = MOST_MEGAPIXELS) -> Pixels:
        """uint8 RGB [H, W, 3], as displayed. Raises MissingPath or UnreadableImage."""
        return decode_image(self.read(), self.name, max_megapixels)

    def mask_HW(self) -> NDArray[np.bool_]:
        """bool [H, W], the union of `masks`. Raises MissingPath or UnreadableImage."""
        masks = [read_image(path)[:, :, 0] > 0 for path in self.masks]
        if len({mask.shape for mask in masks}) > 1:
            raise UnreadableImage(f"{self.masks[0]}: its size differs from that of the other parts' masks.")
        return np.logical_or.reduce(masks)


SkipKind = Literal[
    # problems of the source
    "photo missing",
    "label unknown",
    "split unknown",
    "licence unknown",
    "skin mask missing",
    "box unusable",
    "listed twice",
    "path outside the ZIP",
    "outside the source",
    "label file not read",
    # problems of the photos themselves
    "unreadable",
    "too small",
    "duplicate",
    "near duplicate",
    "two labels",
    "box outside its photo",
]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A photo or an annotation that is left out, and why; `kind` groups those with the same fix."""

    file: str
    reason: str
    kind: SkipKind


@dataclass(frozen=True, slots=True)
class Found:
    """Photos in the order of their ids, what was left out, and the names of all other files."""

    photos: tuple[Photo, ...]
    skipped: tuple[Skipped, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def ignored(self) -> Counter[str]:
        """How many other files there are, by suffix."""
        return Counter(posixpath.splitext(name)[1].lower() for name in self.others)


@dataclass(frozen=True, slots=True)
class File:
    """The bytes of a file."""

    path: Path

    def read(self) -> bytes:
        try:
            return read_bytes(self.path)
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
    """The path, with the size and modification time of the file."""
    place = printable(str(path.absolute()))
    try:
        state = path.stat()
    except OSError:  # a dangling link: reading it names the problem
        return place
    return f"{place} {state.st_size} {state.st_mtime_ns}"


def printable(name: str | Path) -> str:
    """A file name in which bytes that are not UTF-8 are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
