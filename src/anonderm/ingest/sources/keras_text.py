"""Roboflow's "YOLO Keras TXT" and "YOLO v4 PyTorch TXT": one list of boxes a folder, a line a photo.

train/_annotations.txt    a.jpg 43,46,100,108,1 244,51,304,112,0     (left, top, right, bottom, class)
train/_classes.txt        a name a line; the first is class 0
train/a.jpg               and the same in valid/ and test/
"""

from __future__ import annotations

import dataclasses
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from anonderm.core.records import Lesion
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.boxed import class_name, kinds, numbers, read_class_names
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.roboflow import with_licence
from anonderm.ingest.sources.tree import Tree, read_lines, split_of

_LIST = "_annotations.txt"
_BOX = re.compile(r"\S+,\S+,\S+,\S+,\S+")


@dataclass(frozen=True, slots=True)
class Line:
    """A photo's name, its boxes, and what was wrong with others."""

    name: str
    lesions: tuple[Lesion, ...]
    problems: tuple[str, ...]


def fits(source: Path) -> bool:
    return any(source.glob(_LIST)) or any(source.glob(f"*/{_LIST}"))


def find(config: IngestConfig) -> Found:
    tree = Tree(config.source)
    photos: list[Photo] = []
    skipped: list[Skipped] = []
    lists = tree.named(_LIST)
    for label_file in lists:
        folder = posixpath.dirname(label_file)
        classes = tree.find("_classes.txt", folder)
        names = read_class_names(tree.files[classes]) if classes else ()
        for number, text in read_lines(tree.files[label_file]):
            line = parse_line(text, names)
            name = tree.find(line.name, folder)
            if name is None:
                skipped.append(
                    Skipped(
                        f"{label_file}:{number}", f"names {line.name!r}, which is not there", "photo missing"
                    )
                )
                continue
            skipped += [
                Skipped(name, f"{label_file}:{number}: {problem}", "box unusable")
                for problem in line.problems
            ]
            photo = dataclasses.replace(tree.photo(name), lesions=line.lesions, split=split_of(name))
            photos.append(dataclasses.replace(photo, lesion_types=kinds(line.lesions)))
    classes_read = tree.named("_classes.txt")
    return with_licence(tree, tree.found(photos, skipped, {*lists, *classes_read}))


def parse_line(text: str, names: tuple[str, ...]) -> Line:
    """`a.jpg 43,46,100,108,1`; the name may have blanks in it, and a photo may have no box."""
    words = text.split(" ")
    first = len(words)
    while first > 1 and (not words[first - 1] or _BOX.fullmatch(words[first - 1].strip())):
        first -= 1
    lesions, problems = [], []
    for word in filter(str.strip, words[first:]):
        *sides, number = word.strip().split(",")
        box = numbers(sides) if len(sides) == 4 else None
        kind = class_name(number, names)
        if box is None:
            problems.append(f"the box {word!r} is not left,top,right,bottom,class")
        elif kind is None:
            problems.append(f"the box {word!r} is of class {number}, and there are {len(names)} classes")
        else:
            lesions.append(Lesion(kind, *box))
    return Line(" ".join(words[:first]).strip(), tuple(lesions), tuple(problems))
