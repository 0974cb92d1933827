"""YOLO: a text file of boxes for each photo, beside it or in `labels` for photos in `images`.

data.yaml                   names: [papule, pustule]    (or {0: papule, 1: pustule}; under any name)
train/images/a.jpg          likewise valid/ and test/; or images/train/a.jpg and labels/train/a.txt
train/labels/a.txt          lines `class x y width height`: centre and size as shares of the picture;
                            or `class x1 y1 x2 y2 x3 y3 ...`, an outline, replaced by its bounding box
a.jpg, a.txt, classes.txt   labelImg; likewise obj_train_data/ and obj.names (CVAT)

A photo without a text file is skipped and listed, as it is unknown whether anyone looked for lesions on it;
an empty text file means that there are none. A line that cannot be read leaves the photo's boxes unknown.
"""

import dataclasses
import posixpath
import re
from typing import Any

from anonderm.core.documents import read_yaml
from anonderm.core.errors import InputError
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.reading import class_name, numbers, read_lines, split_of

_CARDS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_NAME_LISTS = ("classes.txt", "_darknet.labels", "obj.names", "predefined_classes.txt", "labels.txt")
_LISTS = ("train.txt", "valid.txt", "val.txt", "test.txt", "trainval.txt", "obj.data")
_MOST_CLASSES = 10_000
_LOOKED_AT = 20  # text files of which one must hold boxes


@dataclasses.dataclass(frozen=True)
class Classes:
    """names: by number; without any, the numbers are the names. count: how many there are, if stated."""

    names: tuple[str, ...] = ()
    count: int | None = None
    read: frozenset[str] = frozenset()


def fits(listing: Listing) -> bool:
    """Photos have text files that hold boxes; or a card or list of classes lies beside empty ones."""
    labels = list(dict.fromkeys(_labels_of_photos(listing).values()))
    if any(_has_boxes(listing, name) for name in labels[:_LOOKED_AT]):
        return True
    return bool(labels) and bool(_cards(listing) or any(map(listing.named, _NAME_LISTS)))


def _has_boxes(listing: Listing, name: str) -> bool:
    try:
        lines = read_lines(listing.files[name])
    except InputError:
        return False
    return bool(lines) and not parse_labels(lines[:1], Classes())[1]


def _labels_of_photos(listing: Listing) -> dict[str, str]:
    """Photo -> its text file: in labels/, beside it, or the only one of its name."""
    texts = {
        name for name in listing.with_suffix(".txt") if posixpath.basename(name).lower() not in _NAME_LISTS
    }
    lower = {name.lower(): name for name in texts}
    by_stem: dict[str, list[str]] = {}
    for name in texts:
        by_stem.setdefault(_stem(name), []).append(name)
    found = {}
    for image in listing.images:
        near = next((lower[place] for place in _label_files(image.lower()) if place in lower), None)
        alone = by_stem.get(_stem(image), [])
        same_split = [name for name in alone if split_of(name) in (None, split_of(image))]
        if label := near or (same_split[0] if len(same_split) == 1 else None):
            found[image] = label
    return found


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0].lower()


def _label_files(image: str) -> tuple[str, str]:
    """Where the boxes of this photo may be: in labels/, or beside it."""
    beside = posixpath.splitext(image)[0] + ".txt"
    parts = beside.split("/")
    places = [index for index, part in enumerate(parts[:-1]) if part == "images"]
    if places:
        parts[places[-1]] = "labels"
    return "/".join(parts), beside


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    classes, labels = _classes(listing), _labels_of_photos(listing)
    for name, label_file in labels.items():
        try:
            lesions, problems = parse_labels(read_lines(listing.files[label_file]), classes)
        except InputError as error:
            lesions, problems = (), [error.message]
        for problem in problems:
            listing.skip(label_file, problem, "box unusable")
        photo = listing.photo(name).with_boxes(None if problems else lesions, (1, 1))
        listing.photos.append(dataclasses.replace(photo, split=split_of(name)))
    for name in sorted(set(listing.with_suffix(".txt")) - set(labels.values())):
        if "labels" in name.lower().split("/")[:-1]:
            listing.skip(name, "belongs to no photo", "photo missing")
    lists = {name for each in _LISTS for name in listing.named(each)}
    return listing.found_by_roboflow(classes.read | set(labels.values()) | lists)


def _cards(listing: Listing) -> list[str]:
    """The YAML files that state classes, the most likely first."""
    names = sorted(
        listing.with_suffix(".yaml", ".yml"),
        key=lambda name: (posixpath.basename(name).lower() not in _CARDS, name.count("/"), name),
    )
    return [
        name
        for name in names
        if posixpath.basename(name).lower() in _CARDS or _CLASS_KEYS.search(_head(listing, name))
    ]


_CLASS_KEYS = re.compile(rb"^\s*[\"']?(names|nc)[\"']?\s*:", re.MULTILINE)


def _head(listing: Listing, name: str) -> bytes:
    try:
        with listing.files[name].open("rb") as file:
            return file.read(1 << 20)
    except OSError:
        return b""


def _classes(listing: Listing) -> Classes:
    """Raises InputError."""
    for file in _cards(listing):
        return _in_card(listing, file)
    for file in (name for each in _NAME_LISTS for name in listing.named(each)):
        return Classes(
            _without_numbers([line for _, line in read_lines(listing.files[file])]), None, frozenset({file})
        )
    return Classes()


def _without_numbers(lines: list[str]) -> tuple[str, ...]:
    """The names, where every line begins with the number of its class: `1 whiteheads`, `1: whiteheads`."""
    matches = [re.fullmatch(r"(\d+)\s*[\s:.,)]\s*(\S.*)", line) for line in lines]
    found = [match for match in matches if match]
    order = [int(match[1]) for match in found]
    if lines and len(found) == len(lines) and order in ([*range(len(lines))], [*range(1, len(lines) + 1)]):
        return tuple(match[2].strip() for match in found)
    return tuple(lines)


def _in_card(listing: Listing, file: str) -> Classes:
    path = listing.files[file]
    card = read_yaml(path)
    card = card if isinstance(card, dict) else {}
    names, count, read = _names(card.get("names")), card.get("nc"), frozenset({file})
    if card.get("names") is not None and names is None:
        raise InputError(
            f"{path}: `names` is no list of class names.",
            "Write names: [papule, pustule], or names: {0: papule, 1: pustule}; or remove the file.",
        )
    if names is None and (not isinstance(count, int) or not 0 < count <= _MOST_CLASSES):
        raise InputError(f"{path}: no list of class names under `names`.", "Add it, or remove the file.")
    return Classes(names or (), None if names else count, read)


def _names(value: Any) -> tuple[str, ...] | None:
    """The names in a list, or in a mapping from numbers; None for anything else."""
    if isinstance(value, list) and value and all(isinstance(each, dict) and len(each) == 1 for each in value):
        value = {key: name for each in value for key, name in each.items()}
    if isinstance(value, dict):
        numbered = {str(key): name for key, name in value.items()}
        if not numbered or not all(re.fullmatch(r"\d{1,4}", key) for key in numbered):
            return None
        by_number = {int(key): name for key, name in numbered.items()}
        value = [by_number.get(index, str(index)) for index in range(max(by_number) + 1)]
    if not isinstance(value, list) or not 0 < len(value) <= _MOST_CLASSES:
        return None
    if not all(isinstance(name, str | int | float) for name in value):
        return None
    return tuple(str(name).strip() for name in value)


def parse_labels(lines: list[tuple[int, str]], classes: Classes) -> tuple[tuple[Lesion, ...], list[str]]:
    """The boxes as shares of the picture's sides, and what was wrong with other lines."""
    lesions, problems = [], []
    for line, text in lines:
        first, *words = text.replace(",", " ").split() or [""]
        kind, values = class_name(first, classes.names, classes.count), numbers(words)
        if kind is None:
            known = len(classes.names) or classes.count or "the"
            problems.append(f"line {line}: class {first[:20]!r} is not one of the {known} classes")
        elif values is None or not (len(values) in (4, 5) or (len(values) >= 6 and len(values) % 2 == 0)):
            problems.append(f"line {line}: not `class x y width height`: {text[:80]!r}")
        elif len(values) <= 5:  # a fifth number is a detector's confidence
            lesions.append(Lesion.from_centre(kind, *values[:4]))
        else:
            x, y = values[::2], values[1::2]
            lesions.append(Lesion(kind, min(x), min(y), max(x), max(y)))
    return tuple(lesions), problems
