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
from collections.abc import Collection
from pathlib import Path
from typing import Any

from anonderm.core.documents import read_yaml
from anonderm.core.errors import InputError
from anonderm.core.images import is_image_name
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.reading import class_name, numbers, read_lines, split_of, split_of_file

_CARDS = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_NAME_LISTS = ("classes.txt", "_darknet.labels", "obj.names", "predefined_classes.txt", "labels.txt")
_CLASS_KEYS = re.compile(rb"^\s*[\"']?(names|nc)[\"']?\s*:", re.MULTILINE)
_NAMES_KEY = re.compile(rb"^\s*[\"']?names[\"']?\s*:", re.MULTILINE)
_PEEK = 1 << 20
_MOST_CLASSES = 10_000
_LOOKED_AT = 20  # text files with content, of which one must hold boxes


@dataclasses.dataclass(frozen=True)
class Classes:
    """names: by number; without any, the numbers are the names. count: how many there are, if stated.

    with_points: key points follow the four numbers of a box.
    """

    names: tuple[str, ...] = ()
    count: int | None = None
    with_points: bool = False


def fits(listing: Listing) -> bool:
    """Photos have text files that hold boxes; or a card or list of classes lies beside empty ones."""
    labels = list(dict.fromkeys(_labels_of_photos(listing).values()))
    filled = [name for name in labels if listing.head(name, 1)]
    if any(_has_boxes(listing, name) for name in filled[:_LOOKED_AT]):
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
    labels = _labels_of_photos(listing)
    files = _class_files(listing, set(labels.values()))
    classes = {file: _read_classes(listing, file) for file in set(files.values()) if file}
    splits, lists = _splits(listing, set(labels.values()) | classes.keys())
    for name, label_file in labels.items():
        known = classes.get(files[label_file] or "", Classes())
        try:
            lesions, problems = parse_labels(read_lines(listing.files[label_file]), known)
        except InputError as error:
            lesions, problems = (), [error.message]
        for problem in problems:
            listing.skip(label_file, problem, "box unusable")
        photo = listing.photo(name).with_boxes(None if problems else lesions, (1, 1))
        listing.photos.append(dataclasses.replace(photo, split=split_of(name) or splits.get(name)))
    for name in sorted(set(listing.with_suffix(".txt")) - set(labels.values())):
        if "labels" in name.lower().split("/")[:-1] and name not in classes:
            listing.skip(name, "belongs to no photo", "photo missing")
    return listing.found_by_roboflow({*classes, *labels.values(), *lists, *listing.named("obj.data")})


def _splits(listing: Listing, read: Collection[str]) -> tuple[dict[str, str], list[str]]:
    """Photo -> its split by the lists train.txt, valid.txt and test.txt, and these lists."""
    splits: dict[str, str] = {}
    lists = [name for name in listing.with_suffix(".txt") if name not in read and split_of_file(name)]
    for file in lists:
        for _, line in read_lines(listing.files[file]):
            photo = listing.find(line, posixpath.dirname(file)) if is_image_name(line) else None
            if photo and (split := split_of_file(file)):
                splits.setdefault(photo, split)
    return splits, lists


def _class_files(listing: Listing, label_files: Collection[str]) -> dict[str, str | None]:
    """Label file -> the file that names its classes: in the nearest folder around it, or the only one.

    Cards count before lists of names. Raises InputError where several could be meant.
    """
    kinds = (_cards(listing), [name for each in _NAME_LISTS for name in listing.named(each)])
    chosen: dict[str, str | None] = {}
    for label in label_files:
        around = [[file for file in files if _is_around(file, label)] for files in kinds]
        best = [max(files, key=lambda name: name.count("/")) for files in around if files]
        elsewhere = next(filter(None, kinds), [])
        if not best and len({_read_classes(listing, file).names for file in elsewhere}) > 1:
            raise InputError(
                f"{listing.root}: the classes of {label} could be those of {' or '.join(elsewhere[:3])}.",
                "Put the file of class names into the folder around its labels, or remove the others.",
            )
        chosen[label] = next(iter(best or elsewhere), None)
    return chosen


def _is_around(file: str, label: str) -> bool:
    return label.startswith(file.removesuffix(posixpath.basename(file)))


def _cards(listing: Listing) -> list[str]:
    """The YAML files that state classes, the most likely first."""
    found = {name: listing.head(name, _PEEK) for name in listing.with_suffix(".yaml", ".yml")}
    cards = [name for name, text in found.items() if _is_card(name) or _CLASS_KEYS.search(text)]
    return sorted(cards, key=lambda name: (not _is_card(name), not _NAMES_KEY.search(found[name]), name))


def _is_card(name: str) -> bool:
    return posixpath.basename(name).lower() in _CARDS


def _read_classes(listing: Listing, file: str) -> Classes:
    """Raises InputError."""
    if file.lower().endswith((".yaml", ".yml")):
        return _in_card(listing.files[file])
    return Classes(_without_numbers([line for _, line in read_lines(listing.files[file])]))


def _without_numbers(lines: list[str]) -> tuple[str, ...]:
    """The names, where every line begins with the number of its class: `1 whiteheads`, `1: whiteheads`."""
    matches = [re.fullmatch(r"(\d+)\s*[\s:.,)]\s*(\S.*)", line) for line in lines]
    found = [match for match in matches if match]
    order = [int(match[1]) for match in found]
    if lines and len(found) == len(lines) and order in ([*range(len(lines))], [*range(1, len(lines) + 1)]):
        return tuple(match[2].strip() for match in found)
    return tuple(lines)


def _in_card(path: Path) -> Classes:
    """Raises InputError."""
    card = read_yaml(path)
    card = card if isinstance(card, dict) else {}
    names, count = _names(card.get("names")), card.get("nc")
    if isinstance(count, str) and re.fullmatch(r"\d{1,5}", count.strip()):
        count = int(count)
    if card.get("names") is not None and names is None:
        raise InputError(
            f"{path}: `names` is no list of class names.",
            "Write names: [papule, pustule], or names: {0: papule, 1: pustule}, with quotes around words "
            "such as 'no'; or remove the file.",
        )
    if names is None and (not isinstance(count, int) or not 0 < count <= _MOST_CLASSES):
        raise InputError(f"{path}: no list of class names under `names`.", "Add it, or remove the file.")
    return Classes(names or (), None if names else count, "kpt_shape" in card)


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
    if not all(isinstance(name, str | int | float) and not isinstance(name, bool) for name in value):
        return None
    return tuple(str(name).strip() for name in value)


def parse_labels(lines: list[tuple[int, str]], classes: Classes) -> tuple[tuple[Lesion, ...], list[str]]:
    """The boxes as shares of the picture's sides, and what was wrong with other lines."""
    lesions, problems = [], []
    for line, text in lines:
        first, *words = _words(text) or [""]
        kind, values = class_name(first, classes.names, classes.count), numbers(words)
        if kind is None:
            known = len(classes.names) or classes.count or "the"
            problems.append(f"line {line}: class {first[:20]!r} is not one of the {known} classes")
        elif values is None or not _is_box(len(values), classes.with_points):
            problems.append(f"line {line}: not `class x y width height`: {text[:80]!r}")
        elif classes.with_points or len(values) <= 5:  # a fifth number is a detector's confidence
            lesions.append(Lesion.from_centre(kind, *values[:4]))
        else:
            x, y = values[::2], values[1::2]
            lesions.append(Lesion(kind, min(x), min(y), max(x), max(y)))
    return tuple(lesions), problems


def _words(text: str) -> list[str]:
    """Separated by white space, perhaps with decimal commas; or by commas."""
    words = [word.strip(",").replace(",", ".") for word in text.split()]
    return words if len(words) > 1 else text.replace(",", " ").split()


def _is_box(count: int, with_points: bool) -> bool:
    """Whether a line may have so many numbers: a box, perhaps with more; or an outline of three points."""
    return count in (4, 5) or (count >= 6 and (with_points or count % 2 == 0))
