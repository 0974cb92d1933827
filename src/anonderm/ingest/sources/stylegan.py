"""The data sets of NVIDIA's StyleGAN2-ADA and StyleGAN3 programs: a ZIP file or a folder with dataset.json.

dataset.json              {"labels": [["00000/img00000000.png", 3], ...]}, or null in place of the list
00000/img00000000.png     square images of one size

A ZIP file may hold both in a folder; without dataset.json, its folders are the classes.

A label is the number of a class, or a one-hot vector. If `class_names` lists names, as in the ZIP files that
`export` writes, these are the labels; otherwise the numbers are, and --relabel can name them.
"""

import dataclasses
import functools
import posixpath
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.documents import parse_json, read_text
from anonderm.core.errors import InputError, MissingPath, UnreadableImage
from anonderm.core.images import is_image_name
from anonderm.core.names import is_hidden
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing, count_suffixes
from anonderm.ingest.sources.photo import Found, Photo, Skipped, stamp
from anonderm.ingest.sources.reading import number, read_split, split_of

_LABELS = "dataset.json"
_LARGEST = 1 << 30  # bytes of one unpacked member of a ZIP file; nothing larger is a photo
_LARGEST_LABELS = 64 << 20  # a label takes about 30 bytes


def fits_file(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() == ".zip"


def fits(listing: Listing) -> bool:
    return _LABELS in listing.files


def find(config: IngestConfig) -> Found:
    if config.source.is_dir():
        return _in_folder(config.source)
    names, skipped = members(config.source)
    photos = [Photo(name, Member(config.source, name)) for name in sorted(names) if is_image_name(name)]
    labels = next((name for name in sorted(names, key=len) if posixpath.basename(name) == _LABELS), None)
    others = [name for name in names if not is_image_name(name) and name != labels]
    if labels is None:
        return Found(tuple(map(_in_class_folder, photos)), tuple(skipped), count_suffixes(others))
    text, where = read_member(config.source, labels, _LARGEST_LABELS), f"{config.source}: {labels}"
    labelled, faults = with_labels(photos, text, where, posixpath.dirname(labels))
    return Found(tuple(labelled), (*skipped, *faults), count_suffixes(others))


def _in_class_folder(photo: Photo) -> Photo:
    """mild/a.png, train/mild/a.png or archive/mild/a.png: the class is the folder of the photo."""
    *folders, _ = photo.name.split("/")
    label = folders[-1] if folders and not read_split(folders[-1]) else None
    return dataclasses.replace(photo, label=label, split=split_of(photo.name))


def _in_folder(source: Path) -> Found:
    listing = Listing(source)
    if _LABELS not in listing.files:
        raise MissingPath(f"{source}: no {_LABELS}.", "Give a folder or a ZIP file of a StyleGAN data set.")
    text = read_text(listing.files[_LABELS]).encode()
    photos = [listing.photo(name) for name in listing.images]
    listing.photos, listing.skipped = with_labels(photos, text, str(source / _LABELS))
    return listing.found({_LABELS})


def with_labels(
    photos: Iterable[Photo], text: bytes, where: str, folder: str = ""
) -> tuple[list[Photo], list[Skipped]]:
    """The photos with the labels of a dataset.json in `folder`, and what does not fit. Raises InputError."""
    content = parse_json(text, where)
    entries = content.get("labels") if isinstance(content, dict) else content
    if entries is None:
        return list(photos), []
    if isinstance(entries, dict):
        entries = [[name, label] for name, label in entries.items()]
    pairs = isinstance(entries, list) and all(isinstance(each, list) and len(each) == 2 for each in entries)
    if not pairs:
        raise InputError(f"{where}: its labels are not a list of [file, label].", "Make the data set again.")
    class_names = content.get("class_names") if isinstance(content, dict) else None
    labels = {
        posixpath.join(folder, str(name).replace("\\", "/")): label_of(label, class_names)
        for name, label in entries
    }
    labelled, skipped = [], []
    existing = {photo.name: photo for photo in photos}
    for name, photo in existing.items():
        label = labels.get(name)
        if label is None:
            fault = "its label is not a class" if name in labels else "no label"
            skipped.append(Skipped(name, f"{fault} in {_LABELS}", "label unknown"))
        else:
            labelled.append(dataclasses.replace(photo, label=label))
    missing = [name for name in labels if name not in existing]
    skipped += [Skipped(name, f"named in {_LABELS}, but does not exist", "photo missing") for name in missing]
    return labelled, skipped


def label_of(label: Any, class_names: Any) -> str | None:
    """The class of an entry: a number in any form, or a one-hot vector; None if it is none."""
    if isinstance(label, list):
        label = label.index(1) if label.count(1) == 1 and label.count(0) == len(label) - 1 else None
    index = number(label)
    if index is None or index < 0 or not index.is_integer():
        return None
    label = int(index)
    if not isinstance(class_names, list):
        return str(label)
    return str(class_names[label]) if label < len(class_names) else None


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


def read_member(archive: Path, name: str, largest: int) -> bytes:
    """Raises InputError."""
    try:
        return _read(archive, name, largest)
    except UnreadableImage as error:
        raise InputError(
            f"{archive}: {name}: {error.message}", "Download or export the ZIP again."
        ) from error


def _read(archive: Path, name: str, largest: int = _LARGEST) -> bytes:
    try:
        opened = _open(archive, stamp(archive))
        if opened.getinfo(name).file_size > largest:
            raise UnreadableImage(f"unpacked it has more than {largest >> 20} MB, the limit.")
        return opened.read(name)
    except KeyError as error:
        raise MissingPath("no longer in the ZIP.") from error
    except UnreadableImage:
        raise
    except Exception as error:  # encrypted, of an unknown method, or damaged in one of many ways
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
