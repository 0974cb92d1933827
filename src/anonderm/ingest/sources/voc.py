"""Pascal VOC: an XML file of boxes for each photo, beside it or in Annotations/.

train/a.jpg, train/a.xml                 as Roboflow writes it, likewise valid/ and test/; or labelImg
JPEGImages/a.jpg, Annotations/a.xml      with ImageSets/Main/train.txt, val.txt and test.txt for the splits

The photo is the one that is called like the XML file; `<filename>`, often wrong, is the second choice.
"""

import codecs
import dataclasses
import math
import posixpath
import re
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.core.files import read_bytes
from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.reading import read_lines, read_split, split_of

_PEEK = 4096
_LARGEST = 16 << 20


def fits(listing: Listing) -> bool:
    return any(_is_annotation(listing, name) for name in listing.with_suffix(".xml"))


def _is_annotation(listing: Listing, name: str) -> bool:
    head = listing.head(name, _PEEK)
    wide = head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return re.search(r"<annotation[\s>]", head.decode("utf-16" if wide else "utf-8", "replace")) is not None


@dataclasses.dataclass(frozen=True)
class Annotation:
    """lesions: in pixels of a picture of `size` (width, height), where it is stated; `problems`: what cannot
    be read. file_name: the photo's, as the file states it."""

    lesions: tuple[Lesion, ...] = ()
    size: tuple[float, float] | None = None
    problems: tuple[str, ...] = ()
    file_name: str = ""


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    files = [name for name in listing.with_suffix(".xml") if _is_annotation(listing, name)]
    splits, lists = _splits(listing)
    for file in files:
        annotation = read_voc(listing.files[file])
        stem, folder = posixpath.splitext(file)[0], posixpath.dirname(file)
        name = (
            listing.beside(stem)
            or listing.find(posixpath.basename(stem), folder)
            or (listing.find(annotation.file_name, folder) if annotation.file_name else None)
        )
        for problem in annotation.problems:
            listing.skip(file, problem, "box unusable")
        if name is None:
            listing.skip_missing(file, annotation.file_name or posixpath.basename(stem))
            continue
        photo = listing.photo(name).with_boxes(
            None if annotation.problems else annotation.lesions, annotation.size
        )
        split = split_of(name) or splits.get(posixpath.basename(stem).lower())
        listing.photos.append(dataclasses.replace(photo, split=split))
    return listing.found_by_roboflow({*files, *lists})


def _splits(listing: Listing) -> tuple[dict[str, str], list[str]]:
    """Stem of a photo -> its split by the lists in ImageSets, and these lists."""
    splits: dict[str, str] = {}
    lists = [name for name in listing.with_suffix(".txt") if "imagesets/" in f"/{name}".lower()]
    for file in sorted(lists, key=lambda name: "trainval" in name):  # the lists of the halves count first
        if split := read_split(posixpath.splitext(posixpath.basename(file))[0]):
            for _, line in read_lines(listing.files[file]):
                splits.setdefault(posixpath.basename(line.split()[0]).lower(), split)
    return splits, lists


def read_voc(path: Path) -> Annotation:
    """The boxes in a VOC file, and what is wrong with others. XML entities are not resolved."""
    import defusedxml.ElementTree as Xml
    from defusedxml import DefusedXmlException

    try:
        if path.stat().st_size > _LARGEST:
            raise InputError(f"larger than {_LARGEST >> 20} MB")
        root = Xml.fromstring(read_bytes(path))
    except (
        Xml.ParseError,
        DefusedXmlException,
        ValueError,
        LookupError,
        RecursionError,
        InputError,
    ) as error:
        return Annotation(problems=(f"not a VOC annotation ({type(error).__name__}: {error})",))
    except OSError as error:
        return Annotation(problems=(f"cannot be read ({error.strerror})",))
    for element in root.iter():  # names of a namespace
        element.tag = element.tag.rpartition("}")[2]
    lesions, problems = [], []
    for index, item in enumerate(root.iter("object"), start=1):
        kind = (item.findtext("name") or "").strip()
        sides = [_number(item, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
        if not kind or not all(map(math.isfinite, sides)):
            problems.append(f"object {index} has no name or no box")
        else:
            x0, y0, x1, y1 = sides
            lesions.append(Lesion(kind, x0 - 1, y0 - 1, x1, y1))  # VOC counts pixels from 1, ends included
    width, height = _number(root, "size/width"), _number(root, "size/height")
    size = (width, height) if width > 0 and height > 0 else None
    return Annotation(tuple(lesions), size, tuple(problems), (root.findtext("filename") or "").strip())


def _number(element: Any, path: str) -> float:
    """NaN if there is none."""
    try:
        return float(element.findtext(path) or "nan")
    except ValueError:
        return math.nan
