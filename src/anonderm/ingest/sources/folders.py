"""A folder of photos with one sub-folder a class: finding the photos by name, without opening any."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from anonderm.core.errors import BadLabel, EmptyFolder, MissingPath
from anonderm.core.images import IMAGE_SUFFIXES
from anonderm.core.names import is_plain
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import File, Found, Photo, printable

_SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test", "testing"}


def fits(source: Path) -> bool:
    """Anything that is a folder of folders."""
    return source.is_dir() and any(entry.is_dir() for entry in source.iterdir())


def find(config: IngestConfig) -> Found:
    return list_photos(config.source)


def list_photos(source: Path) -> Found:
    """Every image below a class folder, in sub-folders too.

    Hidden files and files that are no images by their suffix are ignored and counted. Links to folders are
    not followed inside a class, so that a loop of links does no harm.
    Raises MissingPath, EmptyFolder (no class, or one without photos) or BadLabel (a name that will not do).
    """
    ignored: Counter[str] = Counter(path.suffix.lower() for path in _loose_files(source))
    photos: list[Photo] = []
    for label, folder in _class_folders(source).items():
        paths = sorted(_files_below(folder))
        images = [path for path in paths if is_image(path)]
        if not images:
            known = ", ".join(sorted(IMAGE_SUFFIXES))
            raise EmptyFolder(f"{folder}: no image in this class ({known}).", "Fill or remove the folder.")
        photos += [Photo(printable(path.relative_to(source)), File(path), label) for path in images]
        ignored.update(path.suffix.lower() for path in paths if not is_image(path))
    return Found(tuple(photos), ignored=ignored)


def _loose_files(source: Path) -> list[Path]:
    if not source.is_dir():
        what = "is a file" if source.is_file() else "no such folder"
        hint = "Give the folder that holds one sub-folder of photos for each class."
        raise MissingPath(f"{source}: {what}.", hint)
    return [entry for entry in source.iterdir() if not entry.is_dir()]


def _class_folders(source: Path) -> dict[str, Path]:
    """Label -> folder; links that lead back to the source folder or above it are no classes."""
    here = Path(os.path.realpath(source))
    classes: dict[str, Path] = {}
    for folder in sorted(source.iterdir()):
        leads_back = Path(os.path.realpath(folder)) in (here, *here.parents)
        if not folder.is_dir() or folder.name.startswith(".") or leads_back:
            continue
        label = unicodedata.normalize("NFC", printable(folder.name).strip())
        if label in classes:
            raise BadLabel(f"{folder} and {classes[label]}: two classes of one name.", "Rename one of them.")
        if not is_plain(label):
            raise BadLabel(
                f"{source}: the folder {label!r} cannot name a class (and a folder of the release).",
                "Rename it: letters and digits of any script, blanks, and _ . , + & ( ) ' - are allowed.",
            )
        classes[label] = folder
    if not classes:
        raise EmptyFolder(f"{source}: no sub-folder in it.", "Put the photos into one sub-folder a class.")
    if {label.lower() for label in classes} <= _SPLIT_NAMES:
        raise BadLabel(
            f"{source}: its sub-folders are splits ({', '.join(classes)}), not classes.",
            "Merge them into one sub-folder a class; ingest makes the splits itself, by person.",
        )
    return classes


def _files_below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, file) for file in files)


def _raise(error: OSError) -> None:
    raise error


def is_image(path: Path) -> bool:
    """By its suffix; hidden files are none."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
