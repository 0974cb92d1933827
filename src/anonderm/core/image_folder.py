"""Loose image files as a FaceSet."""

from __future__ import annotations

from pathlib import Path

from anonderm.core.errors import EmptyFolder, MissingPath
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_file
from anonderm.core.images import KNOWN_SUFFIXES, is_image_name
from anonderm.core.names import is_hidden, slugs
from anonderm.core.records import Face


def pictures(path: Path) -> FaceSet:
    """One image file, or every image below a folder, ordered by name; without labels, people or splits.

    Hidden files and folders are skipped. Raises MissingPath or EmptyFolder.
    """
    if not path.exists():
        raise MissingPath(f"{path}: no such file or folder.")
    folder = path.parent if path.is_file() else path
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if _is_image(each, path))
    if not files:
        raise EmptyFolder(
            f"{path}: no image in this folder ({KNOWN_SUFFIXES}).", "Give an image or a folder of images."
        )
    names = [file.relative_to(folder).as_posix() for file in files]
    ids = slugs(names)
    faces = (
        Face(ids[name], file=name, sha256=sha256_file(file)) for name, file in zip(names, files, strict=True)
    )
    return FaceSet(folder, tuple(faces))


def _is_image(file: Path, folder: Path) -> bool:
    hidden = any(map(is_hidden, file.relative_to(folder).parts))
    return not hidden and is_image_name(file.name) and file.is_file()
