"""A folder of photos with one sub-folder per class, or without classes: finds the photos by their names."""

import os
import unicodedata
from pathlib import Path

from anonderm.core.errors import BadLabel, EmptyFolder, MissingPath
from anonderm.core.images import KNOWN_SUFFIXES, is_image_name
from anonderm.core.names import is_hidden, is_plain
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import count_suffixes, files_below
from anonderm.ingest.sources.photo import File, Found, Photo, printable
from anonderm.ingest.sources.reading import read_split


def fits(source: Path) -> bool:
    """Every folder of folders fits."""
    return source.is_dir() and any(entry.is_dir() for entry in source.iterdir())


def fits_flat(source: Path) -> bool:
    """A folder that contains photos itself."""
    return source.is_dir() and any(is_image(path) for path in source.iterdir() if path.is_file())


def find_flat(config: IngestConfig) -> Found:
    """Every image in the folder itself, by name, without a class; other files are ignored and counted."""
    files = sorted(path for path in config.source.iterdir() if not path.is_dir())
    photos = tuple(Photo(printable(path.name), File(path)) for path in files if is_image(path))
    return Found(photos, ignored=count_suffixes([path.name for path in files if not is_image(path)]))


def find(config: IngestConfig) -> Found:
    """Every image below a class folder, at any depth.

    Hidden files and files without the suffix of an image are ignored and counted. Links to folders are not
    followed inside a class, so loops of links do no harm. Raises MissingPath, EmptyFolder (no class, or one
    without photos) or BadLabel (an unusable name).
    """
    source = config.source
    ignored = _loose_files(source)
    photos: list[Photo] = []
    for label, folder in _class_folders(source).items():
        paths = sorted(files_below(folder))
        images = [path for path in paths if is_image(path)]
        if not images:
            hint = "Fill or remove the folder."
            raise EmptyFolder(f"{folder}: no image in this class ({KNOWN_SUFFIXES}).", hint)
        photos += [Photo(printable(path.relative_to(source)), File(path), label) for path in images]
        ignored += [path for path in paths if not is_image(path)]
    return Found(tuple(photos), ignored=count_suffixes([path.name for path in ignored]))


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
        if not folder.is_dir() or is_hidden(folder.name) or leads_back:
            continue
        label = unicodedata.normalize("NFC", printable(folder.name).strip())
        if label in classes:
            raise BadLabel(
                f"{folder} and {classes[label]}: two classes of the same name.", "Rename one of them."
            )
        if not is_plain(label):
            raise BadLabel(
                f"{source}: the folder {label!r} cannot name a class (and a folder of the release).",
                "Rename it: letters and digits of any script, spaces, and _ . , + & ( ) ' - are allowed.",
            )
        classes[label] = folder
    if not classes:
        raise EmptyFolder(f"{source}: no sub-folder in it.", "Put the photos into one sub-folder per class.")
    if all(map(read_split, classes)):
        raise BadLabel(
            f"{source}: its sub-folders are splits ({', '.join(classes)}), not classes.",
            "Merge them into one sub-folder per class; ingest makes the splits itself, by person.",
        )
    return classes


def is_image(path: Path) -> bool:
    """By its suffix; hidden files are none."""
    return is_image_name(path.name) and not is_hidden(path.name)
