"""ACNE04 (Wu et al., ICCV 2019): faces with acne in four grades of severity, with boxes around lesions.

Classification/JPEGImages/levle0_12.jpg     0 mild, 1 moderate, 2 severe, 3 very severe
Classification/NNEW_trainval_0.txt          lines `levle0_12.jpg 0 3`: name, level, number of lesions
Classification/NNEW_test_0.txt              five folds, 0 to 4; the two files of a fold name all photos
Detection/**/Annotations/levle0_12.xml      Pascal VOC boxes, if they were downloaded too

Acne04-v2: new annotations for some of the photos of ACNE04, as circles in one JSON file.

Acne04-v2_annotations.json    "images": id, file_name, width, height;
                              "annotations": image_id, coordinates [x, y] of the centre, radius, class_name
levle0_2.jpg                  photos of ACNE04 in any folder below; their names give the severity
"""

import dataclasses
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from anonderm.core.errors import MissingPath
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.coco import read_coco, read_photos
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo
from anonderm.ingest.sources.reading import numbers, read_lines
from anonderm.ingest.sources.voc import read_voc

_LICENCE = "ACNE04: free for academic usage; for other purposes contact its authors"
_LEVELS = ("mild", "moderate", "severe", "very severe")
_FILES = {"test": "test", "trainval": "train"}  # test first: it counts for a photo that both files name
_NAME = re.compile(r"levle([0-3])_\d+\.\w+")
_V2_FILE = re.compile(r".*acne04-?v2.*\.json", re.IGNORECASE)
_LINE = re.compile(r"(\S+)\s+([0-3])\s+\d+")


def fits(listing: Listing) -> bool:
    return any(posixpath.basename(name).startswith("NNEW_") for name in listing.with_suffix(".txt"))


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    lists = {split: _list_file(listing, f"NNEW_{word}_{config.fold}.txt") for word, split in _FILES.items()}
    annotations = _annotations(listing)
    for split, label_file in lists.items():
        for photo in _photos(listing, label_file):
            with_boxes = _with_boxes(listing, photo, annotations)
            listing.photos.append(dataclasses.replace(with_boxes, split=split))
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


def _photos(listing: Listing, label_file: str) -> Iterator[Photo]:
    for number, text in read_lines(listing.files[label_file]):
        line = parse_line(text)
        if line is None:
            reason = f"not `name level count`: {text[:80]!r}"
            listing.skip(f"{label_file}:{number}", reason, "label unknown")
            continue
        file_name, level = line
        name = listing.find(f"JPEGImages/{file_name}", posixpath.dirname(label_file))
        if name is None:
            listing.skip_missing(label_file, file_name)
        elif severity(file_name) not in (None, _LEVELS[level]):
            listing.skip(name, f"level {level} in {label_file} contradicts its name", "label unknown")
        else:
            yield dataclasses.replace(listing.photo(name), label=_LEVELS[level], licence=_LICENCE)


def parse_line(text: str) -> tuple[str, int] | None:
    """Name and level in `levle0_12.jpg 0 3`; None for anything else."""
    match = _LINE.fullmatch(text.strip())
    return (match[1], int(match[2])) if match else None


def _annotations(listing: Listing) -> dict[str, str]:
    """Stem of a photo -> its XML file."""
    files = (name for name in listing.files if name.endswith(".xml") and "Annotations/" in name)
    return {posixpath.basename(name).removesuffix(".xml"): name for name in files}


def _with_boxes(listing: Listing, photo: Photo, annotations: dict[str, str]) -> Photo:
    file = annotations.get(posixpath.splitext(posixpath.basename(photo.name))[0])
    if file is None:
        return photo
    annotation = read_voc(listing.files[file])
    for problem in annotation.problems:
        listing.skip(file, problem, "box unusable")
    return photo.with_boxes(None if annotation.problems else annotation.lesions, annotation.size)


def fits_v2(listing: Listing) -> bool:
    return any(_V2_FILE.fullmatch(name) for name in listing.files)


def find_v2(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    files = [name for name in listing.files if _V2_FILE.fullmatch(name)]
    for file in files:
        for photo in read_photos(listing, file, read_coco(listing.files[file]), _circle):
            label = severity(posixpath.basename(photo.name))
            listing.photos.append(dataclasses.replace(photo, label=label, split=None, licence=_LICENCE))
    return listing.found(files, complete=False)  # the set is a part of ACNE04


def _circle(row: dict[str, Any]) -> Lesion | str:
    """The box around a circle, or what is wrong with it."""
    centre, radius = row.get("coordinates"), row.get("radius")
    circle = numbers([*centre, radius], 3) if isinstance(centre, list) else None
    if circle is None or circle[2] <= 0:
        return f"annotation {row.get('id')} has no circle"
    x, y, side = circle[0], circle[1], 2 * circle[2]
    return Lesion.from_centre(str(row.get("class_name", "acne")), x, y, side, side)
