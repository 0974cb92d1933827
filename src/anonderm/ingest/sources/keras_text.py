"""Roboflow's "YOLO Keras TXT" and "YOLO v4 PyTorch TXT": one list of boxes per folder, one line per photo.

train/_annotations.txt    a.jpg 43,46,100,108,1 244,51,304,112,0     (left, top, right, bottom, class)
train/_classes.txt        one name per line; the first is class 0
train/a.jpg               likewise valid/ and test/
"""

import dataclasses
import posixpath
import re

from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.reading import class_name, numbers, read_lines, split_of

_LIST, _CLASSES = "_annotations.txt", "_classes.txt"
_BOX = re.compile(r"\S+,\S+,\S+,\S+,\S+")


def fits(listing: Listing) -> bool:
    return bool(listing.named(_LIST))


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    lists = listing.named(_LIST)
    for label_file in lists:
        folder = posixpath.dirname(label_file)
        classes = listing.find(_CLASSES, folder)
        names = tuple(line for _, line in read_lines(listing.files[classes])) if classes else ()
        for number, text in read_lines(listing.files[label_file]):
            where = f"{label_file}:{number}"
            file_name, lesions, problems = parse_line(text, names)
            name = listing.find(file_name, folder)
            if name is None:
                listing.skip_missing(where, file_name)
                continue
            for problem in problems:
                listing.skip(name, f"{where}: {problem}", "box unusable")
            photo = listing.photo(name).with_boxes(None if problems else lesions)
            listing.photos.append(dataclasses.replace(photo, split=split_of(name)))
    return listing.found_by_roboflow({*lists, *listing.named(_CLASSES)})


def parse_line(text: str, names: tuple[str, ...]) -> tuple[str, tuple[Lesion, ...], tuple[str, ...]]:
    """A photo's name, its boxes, and what was wrong with others, in `a.jpg 43,46,100,108,1`.

    The name may contain spaces, and a photo may have no box.
    """
    words = text.split(" ")
    first = len(words)
    while first > 1 and (not words[first - 1] or _BOX.fullmatch(words[first - 1].strip())):
        first -= 1
    lesions, problems = [], []
    for word in filter(str.strip, words[first:]):
        *sides, number = word.strip().split(",")
        box, kind = numbers(sides, 4), class_name(number, names)
        if box is None:
            problems.append(f"the box {word!r} is not left,top,right,bottom,class")
        elif kind is None:
            problems.append(f"the box {word!r}: class {number} is not one of the {len(names)} classes")
        else:
            lesions.append(Lesion(kind, *box))
    return " ".join(words[:first]).strip(), tuple(lesions), tuple(problems)
