"""ACNE04 (Wu et al., ICCV 2019): faces with acne in four grades of severity, with boxes around lesions.

Classification/JPEGImages/levle0_12.jpg     0 mild, 1 moderate, 2 severe, 3 very severe
Classification/NNEW_trainval_0.txt          lines `levle0_12.jpg 0 3`: name, level, number of lesions
Classification/NNEW_test_0.txt              five folds, 0 to 4; the two files of a fold name all photos
Detection/**/Annotations/levle0_12.xml      Pascal VOC boxes, if they were downloaded too
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from anonderm.core.errors import MissingPath
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import read_lines
from anonderm.ingest.sources.voc import VocBoxes, read_voc

PATTERNS = ("NNEW_*.txt", "*/NNEW_*.txt")
LICENCE = "ACNE04: free for academic usage; for other purposes contact its authors"
_LEVELS = ("mild", "moderate", "severe", "very severe")
_FILES = {"test": "test", "trainval": "train"}  # test first: it counts for a photo that both files name
_NAME = re.compile(r"levle([0-3])_\d+\.\w+")


class _Line(NamedTuple):
    name: str
    level: int


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    lists = {split: _list_file(listing, f"NNEW_{word}_{config.fold}.txt") for word, split in _FILES.items()}
    annotations = _annotations(listing)
    for split, label_file in lists.items():
        for line in _lines(listing, label_file):
            photo = _photo(listing, line, label_file)
            if photo is not None:
                photo = _with_boxes(listing, photo, annotations)
                listing.photos.append(dataclasses.replace(photo, split=split))
    read = {name for name in listing.files if posixpath.basename(name).startswith("NNEW_")}
    pictures = posixpath.join(posixpath.dirname(lists["train"]), "JPEGImages")
    return listing.found(read | set(annotations.values()), pictures)  # Detection holds the same photos


def severity(file_name: str) -> str | None:
    """The severity in the name of a photo of ACNE04; None for other names."""
    match = _NAME.fullmatch(file_name)
    return _LEVELS[int(match[1])] if match else None


def _list_file(listing: Listing, file_name: str) -> str:
    found = listing.named(file_name)
    if not found:
        raise MissingPath(
            f"{listing.root}: no {file_name}.",
            "Give the folder that holds Classification, or another --fold.",
        )
    return found[0]


def _lines(listing: Listing, label_file: str) -> Iterator[_Line]:
    for number, text in read_lines(listing.files[label_file]):
        line = parse_line(text)
        if line is None:
            reason = f"not `name level count`: {text[:80]!r}"
            listing.skip(f"{label_file}:{number}", reason, "label unknown")
        else:
            yield line


def parse_line(text: str) -> _Line | None:
    """`levle0_12.jpg 0 3`; None for anything else."""
    words = text.split()
    if len(words) != 3 or words[1] not in ("0", "1", "2", "3") or not words[2].isdecimal():
        return None
    return _Line(words[0], int(words[1]))


def _photo(listing: Listing, line: _Line, label_file: str) -> Photo | None:
    name = listing.find(f"JPEGImages/{line.name}", posixpath.dirname(label_file))
    label = _LEVELS[line.level]
    if name is None:
        listing.skip_missing(label_file, line.name)
    elif severity(line.name) not in (None, label):
        listing.skip(name, f"level {line.level} in {label_file} contradicts its name", "label unknown")
    else:
        return dataclasses.replace(listing.photo(name), label=label, licence=LICENCE)
    return None


def _annotations(listing: Listing) -> dict[str, str]:
    """Stem of a photo -> its XML file."""
    files = (name for name in listing.files if name.endswith(".xml") and "Annotations/" in name)
    return {posixpath.basename(name).removesuffix(".xml"): name for name in files}


def _with_boxes(listing: Listing, photo: Photo, annotations: dict[str, str]) -> Photo:
    file = annotations.get(posixpath.splitext(posixpath.basename(photo.name))[0])
    if file is None:
        return photo
    boxes = read_voc(listing.files[file])
    problems = boxes.problems if isinstance(boxes, VocBoxes) else [boxes]
    for problem in problems:
        listing.skip(file, problem, "box unusable")
    if not isinstance(boxes, VocBoxes):
        return photo
    return dataclasses.replace(photo, lesions=boxes.lesions, boxes_in=boxes.size)
