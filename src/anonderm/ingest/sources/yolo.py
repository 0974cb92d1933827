"""YOLO: a text file of boxes beside each photo, or in `labels` for photos in `images`.

data.yaml                   names: [papule, pustule]    (or {0: papule, 1: pustule})
train/images/a.jpg          likewise valid/ and test/; or images/train/a.jpg and labels/train/a.txt
train/labels/a.txt          lines `class x y width height`: centre and size as shares of the picture;
                            or `class x1 y1 x2 y2 x3 y3 ...`, an outline, replaced by its bounding box

A photo without a text file is skipped and listed, as it is unknown whether anyone looked for lesions on it;
an empty text file means that there are none.
"""

import dataclasses
import posixpath
from pathlib import Path

from anonderm.core.errors import InputError
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.reading import class_name, lesion_types, numbers, read_lines, read_text, split_of

_CARDS = ("data.yaml", "data.yml", "dataset.yaml")
PATTERNS = (
    *_CARDS,
    *("labels/*.txt", "labels/*/*.txt", "*/labels/*.txt", "_darknet.labels", "*/_darknet.labels"),
)
_NAME_LISTS = ("classes.txt", "_darknet.labels", "obj.names")


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    names, read = _names(listing)
    labels = {name for name in listing.files if name.endswith(".txt")} - read
    for name in listing.images:
        label_file = next((each for each in _label_files(name) if each in labels), None)
        if label_file is not None:
            read.add(label_file)
            lesions, problems = parse_labels(read_lines(listing.files[label_file]), names)
            for problem in problems:
                listing.skip(label_file, problem, "box unusable")
            listing.photos.append(
                dataclasses.replace(
                    listing.photo(name),
                    lesions=lesions,
                    boxes_in=(1, 1),
                    lesion_types=lesion_types(lesions),
                    split=split_of(name),
                )
            )
    for name in sorted(labels - read):
        if "labels" in name.split("/"):
            listing.skip(name, "belongs to no photo", "photo missing")
    return listing.found_by_roboflow(read)


def _label_files(image: str) -> tuple[str, str]:
    """Where the boxes of this photo may be: in labels/, or beside it."""
    beside = posixpath.splitext(image)[0] + ".txt"
    parts = beside.split("/")
    places = [index for index, part in enumerate(parts) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return "/".join(parts), beside


def _names(listing: Listing) -> tuple[tuple[str, ...], set[str]]:
    """The class names, and the file that they were read from. Raises InputError."""
    for file in _CARDS:
        if file in listing.files:
            return _names_in_card(listing.files[file]), {file}
    for file in (name for each in _NAME_LISTS for name in listing.named(each)):
        return tuple(line for _, line in read_lines(listing.files[file])), {file}
    return (), set()


def _names_in_card(path: Path) -> tuple[str, ...]:
    import yaml

    try:
        card = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML ({error}).", "Correct it, or remove it.") from error
    names = card.get("names") if isinstance(card, dict) else None
    if isinstance(names, dict) and all(isinstance(key, int) and 0 <= key < 10_000 for key in names):
        names = [names.get(index, str(index)) for index in range(max(names, default=-1) + 1)]
    if not isinstance(names, list) or not names:
        raise InputError(f"{path}: no list of class names under `names`.", "Add it, or remove the file.")
    return tuple(str(name) for name in names)


def parse_labels(
    lines: list[tuple[int, str]], names: tuple[str, ...]
) -> tuple[tuple[Lesion, ...], list[str]]:
    """The boxes as shares of the picture's sides, and what was wrong with other lines."""
    lesions, problems = [], []
    for number, text in lines:
        first, *words = text.split()
        kind, values = class_name(first, names), numbers(words)
        if kind is None:
            problems.append(f"line {number}: class {first[:20]!r} is not one of the {len(names)} classes")
        elif values is None or not (len(values) in (4, 5) or (len(values) >= 6 and len(values) % 2 == 0)):
            problems.append(f"line {number}: not `class x y width height`: {text[:80]!r}")
        elif len(values) <= 5:  # a fifth number is a detector's confidence
            lesions.append(Lesion.from_centre(kind, *values[:4]))
        else:
            x, y = values[::2], values[1::2]
            lesions.append(Lesion(kind, min(x), min(y), max(x), max(y)))
    return tuple(lesions), problems
