"""The data sets of NVIDIA's StyleGAN2-ADA and StyleGAN3 programs: a ZIP file or a folder with dataset.json.

dataset.json              {"labels": [["00000/img00000000.png", 3], ...]}, or null in place of the list
00000/img00000000.png     square images of one size

Both may lie in a folder. A ZIP file without dataset.json is read by its folders, as a folder would be.

A label is the number of a class, or a one-hot vector. If `class_names` lists names, as in the ZIP files that
`export` writes, these are the labels; otherwise the numbers are, and --relabel can name them.
"""

import dataclasses
import posixpath
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anonderm.core.documents import parse_json, read_text
from anonderm.core.errors import InputError, MissingPath
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.folders import wrapping
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.reading import number, read_split, split_of
from anonderm.ingest.sources.unread_labels import label_files
from anonderm.ingest.sources.zip_files import ZipListing

_LABELS = "dataset.json"
_LARGEST_LABELS = 64 << 20  # bytes; a label takes about 30
_PEEK = 1 << 20
_THOUSANDS = re.compile(r"\d{5}")  # folders of the programs, which are no classes


def fits_file(source: Path) -> bool:
    return source.is_file() and source.suffix.lower() == ".zip"


def fits(listing: Listing) -> bool:
    """A COCO file may also be called dataset.json."""
    return any(b'"annotations"' not in listing.head(name, _PEEK) for name in listing.named(_LABELS))


def find(config: IngestConfig) -> Found:
    """Raises MissingPath or InputError."""
    listing = Listing(config.source) if config.source.is_dir() else ZipListing(config.source)
    files = listing.named(_LABELS)
    if not files and isinstance(listing, ZipListing):
        return _by_folders(listing, config)
    if not files:
        raise MissingPath(
            f"{config.source}: no {_LABELS}.", "Give a folder or a ZIP file of a StyleGAN data set."
        )
    for file in files:
        folder = posixpath.dirname(file)
        images = [name for name in listing.images if _nearest(name, files) == file]
        _read_labels(listing, file, folder, images)
    return listing.found(files)


def _nearest(image: str, files: list[str]) -> str | None:
    """The dataset.json in the nearest folder around an image, or the only one."""
    if len(files) == 1:
        return files[0]
    around = [file for file in files if image.startswith(file.removesuffix(_LABELS))]
    return max(around, key=len, default=None)


def _by_folders(listing: ZipListing, config: IngestConfig) -> Found:
    """mild/a.png, train/mild/a.png or archive/mild/a.png. Raises InputError if it holds other labels."""
    archive, several_people = config.source, config.subjects is not None
    if config.layout == "auto" and (unread := label_files(listing)):
        raise InputError(
            f"{archive}: labels in a ZIP are read from {_LABELS} only; it holds {', '.join(unread[:3])}.",
            f"Unpack it and give the folder: unzip {archive.name} -d {archive.stem}; --source {archive.stem}",
        )
    inside = ""
    while around := wrapping([name.removeprefix(inside) for name in listing.images], several_people):
        inside += f"{around}/"
    for name in listing.images:
        folders = name.removeprefix(inside).split("/")[:-1]
        classes = folders[1:] if folders and read_split(folders[0]) else folders
        is_class = classes and classes != [archive.stem] and not _THOUSANDS.fullmatch(classes[0])
        photo = dataclasses.replace(listing.photo(name), split=split_of(name))
        listing.photos.append(dataclasses.replace(photo, label=classes[0] if is_class else None))
    return listing.found(complete=False)


def _read_labels(listing: Listing, file: str, folder: str, images: list[str]) -> None:
    """Add the images with the labels of dataset.json, and note what does not match. Raises InputError."""
    where = f"{listing.root}: {file}" if isinstance(listing, ZipListing) else str(listing.files[file])
    content = parse_json(_text(listing, file), where)
    entries, class_names = _entries(content, where), _class_names(content)
    if entries is None:
        listing.photos += map(listing.photo, images)
        return
    labels: dict[str, Any] = {}
    for name, label in sorted(entries, key=lambda entry: _place(folder, entry[0]) not in listing.files):
        image = listing.find(name, folder)
        if image is None:
            listing.skip(_place(folder, name), f"named in {_LABELS}, but does not exist", "photo missing")
        else:
            labels.setdefault(image, label)  # exact names come first
    classes = _classes(labels, class_names)
    for image in images:
        if label := classes.get(image):
            listing.photos.append(dataclasses.replace(listing.photo(image), label=label))
        else:
            fault = "its label is not a class" if image in labels else "no label"
            listing.skip(image, f"{fault} in {_LABELS}", "label unknown")


def _classes(labels: Mapping[str, Any], class_names: list[Any] | None) -> dict[str, str | None]:
    """Image -> class; None for a label that is none."""
    columns = [label for label in labels.values() if isinstance(label, list) and len(label) == 1]
    if any(label != [1] for label in columns):  # numbers in brackets, not one-hot vectors of one class
        labels = {image: label[0] if label in columns else label for image, label in labels.items()}
    if class_names is None and not any(number(label) is not None for label in labels.values()):
        texts = {image: label.strip() for image, label in labels.items() if isinstance(label, str)}
        if len(texts) == len(labels):
            return {image: text or None for image, text in texts.items()}
    return {image: label_of(label, class_names) for image, label in labels.items()}


def _text(listing: Listing, file: str) -> str | bytes:
    if isinstance(listing, ZipListing):
        return listing.read(file, _LARGEST_LABELS)
    return read_text(listing.files[file], _LARGEST_LABELS)


def _place(folder: str, name: str) -> str:
    return posixpath.normpath(posixpath.join(folder, name.replace("\\", "/")))


def _entries(content: Any, where: str) -> list[tuple[str, Any]] | None:
    """File and label, of a list of pairs or a mapping; None if the set has no labels. Raises InputError."""
    entries = content.get("labels", content) if isinstance(content, dict) else content
    if isinstance(entries, dict):
        entries = [[name, label] for name, label in entries.items()]
    pairs = isinstance(entries, list) and all(isinstance(each, list) and len(each) == 2 for each in entries)
    if entries is not None and not pairs:
        raise InputError(
            f"{where}: its labels are not a list of [file, label].",
            'Write {"labels": [["00000/img00000000.png", 0], ...]}, or null for a set without labels.',
        )
    if not entries or all(label is None for _, label in entries):
        return None
    return [(str(name), label) for name, label in entries]


def _class_names(content: Any) -> list[Any] | None:
    names = content.get("class_names") if isinstance(content, dict) else None
    return names if isinstance(names, list) else None


def label_of(label: Any, class_names: list[Any] | None) -> str | None:
    """The class of an entry: a number in any form, one of the names, or a one-hot vector; else None."""
    if isinstance(label, str) and class_names and label in class_names:
        return label
    if isinstance(label, list):
        label = label.index(1) if label.count(1) == 1 and label.count(0) == len(label) - 1 else None
    index = number(label)
    if index is None or index < 0 or not index.is_integer():
        return None
    if class_names is None:
        return str(int(index))
    return str(class_names[int(index)]) if index < len(class_names) else None
