"""Classes by folders: one sub-folder per class, perhaps within one per split; or photos without classes."""

import dataclasses
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from anonderm.core.errors import BadLabel, EmptyFolder
from anonderm.core.images import KNOWN_SUFFIXES, OTHER_PICTURES
from anonderm.core.names import is_hidden, is_plain
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, printable
from anonderm.ingest.sources.reading import read_split
from anonderm.ingest.sources.unread_labels import label_files

_NO_CLASS = ("images", "image", "imgs", "img", "jpegimages", "photos", "pictures")
_MOST_CLASSES = 12  # in a folder around the classes; more folders are probably people


def fits(listing: Listing) -> bool:
    """Every folder of folders fits; photos beside folders without any do not."""
    folders = any(map(Path.is_dir, listing.root.iterdir()))
    return any("/" in name for name in listing.images) or (folders and not listing.images)


def fits_splits(listing: Listing) -> bool:
    """All photos lie in folders named after splits, in further folders; other folders hold none."""
    parts = [name.split("/") for name in listing.images]
    return bool(parts) and all(len(each) > 2 and read_split(each[0]) for each in parts)


def fits_flat(listing: Listing) -> bool:
    """A folder that contains photos itself."""
    return any("/" not in name for name in listing.images)


def only_folder(listing: Listing, several_people: bool) -> Path | None:
    """The folder around all classes or splits, which is no class itself; None if there is none.

    several_people: the folders within may be people.
    """
    if wrapping(listing.images, several_people) is None:
        return None
    first = listing.files[listing.images[0]].relative_to(listing.root).parts[0]
    return listing.root / first


def wrapping(images: Collection[str], several_people: bool) -> str | None:
    """The same for the paths of images."""
    parts = [name.split("/") for name in images]
    first = {each[0] for each in parts}
    if len(first) == 1 and min(first).lower() in _NO_CLASS and all(len(each) == 2 for each in parts):
        return min(first)
    if len(first) != 1 or any(len(each) < 3 for each in parts) or any(map(read_split, first)):
        return None
    second = {each[1] for each in parts}
    wraps = all(map(read_split, second)) or (not several_people and 2 <= len(second) <= _MOST_CLASSES)
    if len(second) == 1 and wrapping(["/".join(each[1:]) for each in parts], several_people):
        wraps = True
    return next(iter(first)) if wraps else None


def find_flat(config: IngestConfig) -> Found:
    """Every image in the folder itself, by name, without a class; other files are ignored and counted."""
    listing = Listing(config.source)
    listing.photos = [listing.photo(name) for name in listing.images if "/" not in name]
    return listing.found(complete=False)


def find_splits(config: IngestConfig) -> Found:
    """train/CLASS/a.jpg; other photos are listed."""
    listing = Listing(config.source)
    for name in listing.images:
        split, *inner = name.split("/")
        if len(inner) > 1 and read_split(split):
            photo = dataclasses.replace(listing.photo(name), label=inner[0], split=read_split(split))
            listing.photos.append(photo)
        else:
            listing.skip(name, "not in a class folder of a split, such as train/mild/", "label unknown")
    return listing.found(complete=False)


def find(config: IngestConfig) -> Found:
    """Every image below a class folder, at any depth; other files are ignored and counted.

    Raises MissingPath, EmptyFolder (no class, or one without photos) or BadLabel (an unusable name).
    """
    listing = Listing(config.source)
    images: dict[str, list[str]] = defaultdict(list)
    for name in listing.images:
        images[name.split("/")[0]].append(name)
    for label, folder in _class_folders(config.source).items():
        inside = [name for name in listing.files if name.startswith(f"{folder}/")]
        if inside and label_files(listing, inside) == inside:
            listing.skip(f"{folder}/", "holds labels, which are not read: no class", "label file not read")
        elif not images[folder]:
            links = [item.file for item in listing.skipped if item.file.split("/")[0] == folder]
            others = sorted({posixpath.splitext(name)[1].lower() for name in inside} & OTHER_PICTURES)
            hint = "Fill the folder, or move it out of the source if it is no class."
            if others:
                hint = f"Export its photos ({', '.join(others)}) as JPEG."
            if links:
                hint = f"Its links lead out of {config.source}, such as {links[0]}: copy the photos into it."
            raise EmptyFolder(f"{config.source / folder}: no image in this class ({KNOWN_SUFFIXES}).", hint)
        listing.photos += [dataclasses.replace(listing.photo(name), label=label) for name in images[folder]]
    return listing.found(complete=False)


def _class_folders(source: Path) -> dict[str, str]:
    """Label -> folder. Links to folders are none."""
    classes: dict[str, str] = {}
    for folder in sorted(source.iterdir()):
        if not folder.is_dir() or folder.is_symlink() or is_hidden(folder.name):
            continue
        name = unicodedata.normalize("NFC", printable(folder.name))
        label = name.strip()
        if label in classes:
            other = source / classes[label]
            raise BadLabel(f"{folder} and {other}: two classes of the same name.", "Rename one of them.")
        if not is_plain(label):
            raise BadLabel(
                f"{source}: the folder {label!r} cannot name a class (and a folder of the release).",
                "Rename it: letters and digits of any script, spaces, and _ . , + & ( ) ' - are allowed.",
            )
        classes[label] = name
    if not classes:
        raise EmptyFolder(f"{source}: no sub-folder in it.", "Put the photos into one sub-folder per class.")
    splits = [name for name in classes if read_split(name)]
    if splits == list(classes) or len(set(map(read_split, splits))) > 1:
        others = [name for name in classes if name not in splits]
        beside = f" Beside them: {', '.join(others)}." if others else ""
        raise BadLabel(
            f"{source}: its sub-folders are splits ({', '.join(splits)}), not classes.{beside}",
            "Put the photos of each split into one sub-folder per class, train/mild/, or merge the splits; "
            "ingest makes splits itself, by person. To leave out photos in other places, add --layout "
            "split-folders.",
        )
    return classes
