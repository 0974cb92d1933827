"""ACNE04 (Wu et al., ICCV 2019): faces with acne in four grades of severity, with boxes of lesions.

Classification/JPEGImages/levle0_12.jpg     0 mild, 1 moderate, 2 severe, 3 very severe
Classification/NNEW_trainval_0.txt          lines `levle0_12.jpg 0 3`: name, level, number of lesions
Classification/NNEW_test_0.txt              five folds, 0 to 4; each names all photos between its two files
Detection/**/Annotations/levle0_12.xml      Pascal VOC boxes, where they were downloaded too
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from anonderm.core.errors import MissingPath
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.tree import Tree, read_lines
from anonderm.ingest.sources.voc import VocBoxes, read_voc

LEVELS = ("mild", "moderate", "severe", "very severe")
LICENCE = "ACNE04: free for academic usage; for other purposes contact its authors"
_FILES = {"test": "test", "trainval": "train"}  # test first: of a photo named in both, that entry counts
_NAME = re.compile(r"levle([0-3])_\d+\.jpg")


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    level: int


def fits(source: Path) -> bool:
    return any(source.glob("NNEW_*.txt")) or any(source.glob("*/NNEW_*.txt"))


def find(config: IngestConfig) -> Found:
    tree = Tree(config.source)
    photos: list[Photo] = []
    skipped: list[Skipped] = []
    lists = {split: _list_file(tree, f"NNEW_{word}_{config.fold}.txt") for word, split in _FILES.items()}
    for split, label_file in lists.items():
        for line in _lines(tree, label_file, skipped):
            photo = _photo(tree, line, label_file, skipped)
            if photo is not None:
                photos.append(dataclasses.replace(photo, split=split))
    boxes = _annotations(tree)
    photos = [_with_boxes(tree, photo, boxes, skipped) for photo in photos]
    read = {name for name in tree.files if posixpath.basename(name).startswith("NNEW_")}
    pictures = posixpath.join(posixpath.dirname(lists["train"]), "JPEGImages")
    return tree.found(photos, skipped, read | set(boxes.values()), pictures)  # Detection holds them again


def _list_file(tree: Tree, file_name: str) -> str:
    found = tree.named(file_name)
    if not found:
        raise MissingPath(
            f"{tree.root}: no {file_name}.", "Give the folder that holds Classification, or another --fold."
        )
    return found[0]


def _lines(tree: Tree, label_file: str, skipped: list[Skipped]) -> Iterator[_Line]:
    for number, text in read_lines(tree.files[label_file]):
        line = parse_line(text)
        if line is None:
            skipped.append(
                Skipped(f"{label_file}:{number}", f"not `name level count`: {text[:80]!r}", "label unknown")
            )
        else:
            yield line


def parse_line(text: str) -> _Line | None:
    """`levle0_12.jpg 0 3`; None for anything else."""
    words = text.split()
    if len(words) != 3 or words[1] not in ("0", "1", "2", "3") or not words[2].isdecimal():
        return None
    return _Line(words[0], int(words[1]))


def _photo(tree: Tree, line: _Line, label_file: str, skipped: list[Skipped]) -> Photo | None:
    name = tree.find(f"JPEGImages/{line.name}", posixpath.dirname(label_file))
    if name is None:
        skipped.append(Skipped(line.name, f"named by {label_file}, but not there", "photo missing"))
        return None
    told = _NAME.fullmatch(line.name)
    if told and int(told[1]) != line.level:
        skipped.append(
            Skipped(name, f"of level {line.level} in {label_file}, but not by its name", "label unknown")
        )
        return None
    return dataclasses.replace(tree.photo(name), label=LEVELS[line.level], licence=LICENCE)


def _annotations(tree: Tree) -> dict[str, str]:
    """Stem of a photo -> its XML file."""
    files = (name for name in tree.files if name.endswith(".xml") and "Annotations/" in name)
    return {posixpath.basename(name).removesuffix(".xml"): name for name in files}


def _with_boxes(tree: Tree, photo: Photo, boxes: dict[str, str], skipped: list[Skipped]) -> Photo:
    file = boxes.get(posixpath.splitext(posixpath.basename(photo.name))[0])
    if file is None:
        return photo
    read = read_voc(tree.files[file])
    if not isinstance(read, VocBoxes):
        skipped.append(Skipped(file, read, "box unusable"))
        return photo
    skipped += [Skipped(file, problem, "box unusable") for problem in read.problems]
    return dataclasses.replace(photo, lesions=read.lesions, boxes_in=read.size)
