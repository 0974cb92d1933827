"""COCO: JSON files of photos, categories and boxes, of any name.

train/_annotations.coco.json, train/a.jpg            as exported by Roboflow, likewise valid/ and test/
annotations/instances_train.json, train/a.jpg        as COCO itself is laid out; also images/train/a.jpg
result.json, images/a.jpg                            Label Studio
labels.json, data/a.jpg                              FiftyOne
coco/instances_train.json, train/metadata.csv        our own releases; the table gives the classes

A photo without annotations shows no lesions; one of whose annotations cannot be read has unknown ones, as
has one without any in a file with annotations of photos that it does not list. JSON files beside these that
hold no boxes (captions, panoptic segmentations) are listed and not read.
"""

import codecs
import dataclasses
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from anonderm.core.documents import parse_json, read_text
from anonderm.core.errors import InputError
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.huggingface import facts_beside, metadata_files
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import number, numbers, split_of, split_of_file

Row = dict[str, Any]

_AGAIN = "Download or export it again."
_PEEK = 1 << 20
_LISTS = ('"images"', '"annotations"')
_LONGEST_KEY = 2 * len('"annotations"')
_NO_INSTANCES = re.compile(r"(person_keypoints|stuff|captions|panoptic|image_info)_", re.IGNORECASE)


def fits(listing: Listing) -> bool:
    return any(_lists_photos(listing.files[name]) for name in listing.with_suffix(".json"))


def _lists_photos(path: Path) -> bool:
    """Whether the file has the keys of COCO's lists, wherever they stand in it."""
    try:
        with path.open("rb") as file:
            head = file.read(_PEEK)
            wide = "utf-16-le" if head[:2] == codecs.BOM_UTF16_LE else "utf-8"
            if head.decode(wide, "replace").lstrip("\ufeff \n\r\t")[:1] != "{":
                return False
            missing, part = {key.encode(wide) for key in _LISTS}, head
            while part and missing:
                missing = {key for key in missing if key not in part}
                part = part[-_LONGEST_KEY:] + more if (more := file.read(_PEEK)) else b""
    except OSError:
        return False
    return not missing


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    files = [name for name in listing.with_suffix(".json") if _lists_photos(listing.files[name])]
    contents = {file: read_coco(listing.files[file]) for file in files}
    others = {file: why for file, content in contents.items() if (why := _why_no_boxes(content))}
    siblings = [file for file in contents if _NO_INSTANCES.match(posixpath.basename(file))]
    if len(siblings) < len(contents):
        others = dict.fromkeys(siblings, "beside the boxes of the same photos; not read") | others
    for file, why in others.items():
        listing.skip(file, why, "label file not read")
        del contents[file]
    if not contents:
        raise InputError(
            f"{listing.root}: no JSON file with boxes."
            + "".join(f"\n    {file}: {why}" for file, why in others.items()),
            "Export boxes and their categories in the COCO format, or name another --layout.",
        )
    for file, content in contents.items():
        listing.photos += read_photos(listing, file, content, partial(_lesion, names=_categories(content)))
    listing.photos = list(_with_facts(listing.photos, facts_beside(listing, config)))
    return listing.found_by_roboflow([*files, *metadata_files(listing)])


def _with_facts(photos: Sequence[Photo], facts: Mapping[str, Photo]) -> Iterator[Photo]:
    """The photos with the labels of a table beside the boxes; and those that the table alone names."""
    for photo in photos:
        stated = facts.get(photo.name, photo)
        yield dataclasses.replace(
            stated,
            lesions=photo.lesions,
            boxes_in=photo.boxes_in,
            lesion_types=photo.lesion_types,
            split=stated.split or photo.split,
            licence=photo.licence or stated.licence,
        )
    names = {photo.name for photo in photos}
    yield from (photo for name, photo in facts.items() if name not in names)


def read_coco(path: Path) -> Row:
    """A COCO file with the lists images, annotations and categories. Raises InputError."""
    content = parse_json(read_text(path), str(path))
    if not isinstance(content, dict):
        raise InputError(f"{path}: not a JSON object.", _AGAIN)
    return content | {
        key: _rows(content, key, path) for key in ("images", "annotations", "categories", "licenses")
    }


def _rows(content: Row, key: str, path: Path) -> list[Row]:
    """The list under `key`, empty if it is absent. Raises InputError unless it contains objects."""
    found = content.get(key)
    if found is None and key not in ("images", "annotations"):
        return []
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InputError(f"{path}: {key} is not a list of objects.", _AGAIN)
    return found


def _why_no_boxes(content: Row) -> str:
    """What the file holds in place of objects in photos; empty if it holds these."""
    rows = content["annotations"]
    boxes = any("bbox" in row or isinstance(row.get("segmentation"), list | dict) for row in rows)
    if rows and not boxes:
        return "lists photos without boxes, such as captions; not read"
    return "" if content["categories"] else "its `categories` are missing; not read"


def _categories(content: Row) -> dict[str, str]:
    """Id -> name; without ids that stand for several names."""
    names: dict[str, set[str]] = defaultdict(set)
    for row in content["categories"]:
        names[_key(row.get("id"))].add(str(row.get("name") or "").strip())
    return {key: next(iter(each)) for key, each in names.items() if len(each) == 1}


def read_photos(
    listing: Listing, file: str, content: Row, lesion_of: Callable[[Row], Lesion | str]
) -> Iterator[Photo]:
    """The photos of a JSON file with their boxes. `lesion_of` an annotation may say what is wrong with it."""
    images = {_key(row.get("id")): row for row in content["images"]}
    counts = Counter(_key(row.get("id")) for row in content["images"])
    for key in [key for key, count in counts.items() if count > 1]:
        # Files that were joined without new ids: nobody knows whose boxes these are.
        listing.skip(file, f"{counts[key]} photos have the id {key}; they are left out", "label unknown")
        del images[key]
    licences = {_key(row.get("id")): _licence(row) for row in content.get("licenses", ())}
    lesions: dict[str, list[Lesion]] = {key: [] for key in images}
    unknown: set[str] = set()
    of_others = False
    for row in content["annotations"]:
        key, lesion = _key(row.get("image_id")), lesion_of(row)
        if counts[key] > 1:
            continue
        if key not in images:
            listing.skip(file, f"annotation {row.get('id')} is of an unlisted photo", "photo missing")
            of_others = True
        elif isinstance(lesion, str):
            listing.skip(str(images[key].get("file_name")), f"{file}: {lesion}", "box unusable")
            unknown.add(key)
        else:
            lesions[key].append(lesion)
    if of_others:  # they may be of any photo that has none
        unknown |= {key for key, boxes in lesions.items() if not boxes}
    for key, row in images.items():
        stated = row.get("file_name") or row.get("path") or row.get("coco_url") or ""
        name = _find(listing, file, str(stated))
        if name is None:
            listing.skip_missing(file, stated)
            continue
        photo = listing.photo(name).with_boxes(None if key in unknown else lesions[key], _stated_size(row))
        yield dataclasses.replace(
            photo,
            split=split_of(name) or split_of_file(file),
            licence=licences.get(_key(row.get("license")), ""),
        )


def _find(listing: Listing, file: str, stated: str) -> str | None:
    """instances_train2017.json is of the photos in train2017/, if the name alone does not tell."""
    split, words = split_of_file(file), posixpath.splitext(posixpath.basename(file))[0]
    found = listing.find(stated, posixpath.dirname(file), split)
    if found is None and (folder := listing.image_folder(words.rpartition("_")[2])):
        found = listing.find(posixpath.basename(stated), folder, split)
    return found


def _key(value: object) -> str:
    """An id as text, the same for 7, 7.0 and "7"."""
    if isinstance(value, str) and value.strip().removesuffix(".0").isdecimal():
        return value.strip().removesuffix(".0").lstrip("0") or "0"
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _licence(row: Row) -> str:
    """Name and address of one of the licences of a file."""
    name, url = (str(row.get(key) or "").strip() for key in ("name", "url"))
    return f"{name} ({url})" if name and url else name or url


def _lesion(row: Row, names: dict[str, str]) -> Lesion | str:
    """The box of an annotation, or the one around its outline, or what is wrong with it."""
    box = row.get("bbox")
    sides = numbers(list(box), 4) if isinstance(box, list | tuple) else None
    if not box:
        sides = _around(row.get("segmentation"))
    if sides is None:
        return f"annotation {row.get('id')}: no box [left, top, width, height]: {str(box)[:80]}"
    kind = names.get(_key(row.get("category_id")))
    if not kind:
        return f"annotation {row.get('id')} is of the unlisted category {row.get('category_id')}"
    return Lesion.from_corner(kind, *sides)


def _around(outlines: object) -> list[float] | None:
    """Left, top, width and height around polygons, [[x0, y0, x1, y1, ...], ...]; None for anything else."""
    if not isinstance(outlines, list):
        return None
    parts = outlines if outlines and isinstance(outlines[0], list) else [outlines]
    points = [numbers(part) for part in parts]
    found = [values for values in points if values]
    if len(found) < len(parts) or any(len(values) < 6 or len(values) % 2 for values in found):
        return None
    x, y = ([value for values in found for value in values[start::2]] for start in (0, 1))
    return [min(x), min(y), max(x) - min(x), max(y) - min(y)]


def _stated_size(row: Row) -> tuple[float, float] | None:
    """The (width, height) in an entry of `images`."""
    width, height = number(row.get("width")), number(row.get("height"))
    return (width, height) if width and height and min(width, height) > 0 else None
