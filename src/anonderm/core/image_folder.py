"""Loose image files, seen as a FaceSet."""

from __future__ import annotations

from pathlib import Path

from anonderm.core.errors import EmptyFolder, MissingPath
from anonderm.core.faceset import FaceSet
from anonderm.core.files import sha256_file
from anonderm.core.images import IMAGE_SUFFIXES
from anonderm.core.names import slugs
from anonderm.core.records import Face


def pictures(path: Path) -> FaceSet:
    """One image file, or every image below a folder, ordered by name; without labels, people and splits.

    Hidden files and folders are left out. Raises MissingPath or EmptyFolder.
    """
    if not path.exists():
        raise MissingPath(f"{path}: no such file or folder.")
    folder = path.parent if path.is_file() else path
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if _is_image(each, path))
    if not files:
        known = ", ".join(sorted(IMAGE_SUFFIXES))
        raise EmptyFolder(
            f"{path}: no image in this folder ({known}).", "Give an image, or a folder of images."
        )
    names = [file.relative_to(folder).as_posix() for file in files]
    ids = slugs(names)
    faces = (
        Face(ids[name], file=name, sha256=sha256_file(file)) for name, file in zip(names, files, strict=True)
    )
    return FaceSet(folder, tuple(faces))


def _is_image(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()
