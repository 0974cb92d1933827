"""COCO: one JSON file of photos, categories and boxes for each split.

train/_annotations.coco.json, train/a.jpg            as exported by Roboflow, likewise valid/ and test/
annotations/instances_train.json, train/a.jpg        as COCO itself is laid out; also images/train/a.jpg
"""

import dataclasses
import posixpath
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import lesion_types, numbers, read_json_object, read_split, split_of

Row = dict[str, Any]

PATTERNS = ("*.coco.json", "*/*.coco.json", "annotations/*.json", "instances_*.json")


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    paths = sorted({path for pattern in PATTERNS for path in config.source.glob(pattern)})
    files = [path.relative_to(config.source).as_posix() for path in paths]
    for file in files:
        content = read_json_object(listing.files[file])
        categories = _rows(content, "categories", listing.files[file])
        names = {row.get("id"): str(row.get("name", "")) for row in categories}
        listing.photos += read_photos(listing, file, content, partial(_lesion, names=names))
    return listing.found_by_roboflow(files)


def read_photos(
    listing: Listing, file: str, content: Row, lesion_of: Callable[[Row], Lesion | str]
) -> Iterator[Photo]:
    """The photos of a JSON file with their boxes. `lesion_of` an annotation may say what is wrong with it.

    Raises InputError.
    """
    images = {row.get("id"): row for row in _rows(content, "images", listing.files[file])}
    lesions: dict[Any, list[Lesion]] = {key: [] for key in images}
    for row in _rows(content, "annotations", listing.files[file]):
        image, lesion = images.get(row.get("image_id")), lesion_of(row)
        if image is None:
            listing.skip(file, f"annotation {row.get('id')} is of an unlisted photo", "photo missing")
        elif isinstance(lesion, str):
            listing.skip(str(image.get("file_name")), f"{file}: {lesion}", "box unusable")
        else:
            lesions[row["image_id"]].append(lesion)
    for key, row in images.items():
        name = _find_image(listing, str(row.get("file_name", "")), posixpath.dirname(file))
        if name is None:
            listing.skip_missing(file, row.get("file_name"))
        else:
            yield dataclasses.replace(
                listing.photo(name),
                lesions=tuple(lesions[key]),
                boxes_in=_stated_size(row),
                lesion_types=lesion_types(lesions[key]),
                split=split_of(name) or _split_of_file(file),
            )


def _lesion(row: Row, names: dict[Any, str]) -> Lesion | str:
    """The box of an annotation, or what is wrong with it."""
    box = numbers(row.get("bbox"), 4)
    if box is None:
        return f"annotation {row.get('id')}: not [left, top, width, height]: {str(row.get('bbox'))[:80]}"
    if not names.get(row.get("category_id")):
        return f"annotation {row.get('id')} is of the unlisted category {row.get('category_id')}"
    return Lesion.from_corner(names[row["category_id"]], *box)


def _rows(content: Row, key: str, path: Path) -> list[Row]:
    """The list under `key`. Raises InputError unless it contains objects whose ids can be looked up."""
    found = content.get(key)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InputError(f"{path}: no list of {key}.", "Download or export it again.")
    ids = (row.get(each) for row in found for each in ("id", "image_id", "category_id"))
    if any(isinstance(each, list | dict) for each in ids):
        raise InputError(
            f"{path}: an id in {key} is neither a number nor text.", "Download or export it again."
        )
    return found


def _find_image(listing: Listing, name: str, folder: str) -> str | None:
    """The file of this name beside the JSON file, below the source, or, if it is unique, in any folder."""
    found = listing.find(name, folder) or listing.find(name)
    if found is not None or not name or ".." in name:
        return found
    candidates = listing.named(posixpath.basename(name.replace("\\", "/")))
    return candidates[0] if len(candidates) == 1 else None


def _stated_size(row: Row) -> tuple[float, float] | None:
    """The (width, height) in an entry of `images`."""
    size = numbers([row.get("width"), row.get("height")])
    return (size[0], size[1]) if size is not None and min(size) > 0 else None


def _split_of_file(file: str) -> str | None:
    """instances_val.json, instances_train2017.json"""
    words = posixpath.basename(file).removesuffix(".json").replace("-", "_").split("_")
    found = (read_split(word.rstrip("0123456789")) for word in words)
    return next((split for split in found if split), None)
