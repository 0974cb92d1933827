"""The data sets of NVIDIA's StyleGAN2-ADA and StyleGAN3 programs: a ZIP, or a folder, with dataset.json.

dataset.json              {"labels": [["00000/img00000000.png", 3], ...]}, or null in place of the list
00000/img00000000.png     square images of one size

A label is the number of a class, or a vector with a single 1 in it. Where `class_names` lists names, as in
the ZIPs that `export` writes, those are the labels; otherwise they are the numbers, and --relabel can name
them.
"""

from __future__ import annotations

import dataclasses
import json
import posixpath
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError, MissingPath
from anonderm.core.images import IMAGE_SUFFIXES
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.tree import Tree
from anonderm.ingest.sources.zip_archive import Member, members, read_member

_LABELS = "dataset.json"


def fits(source: Path) -> bool:
    return (source.is_file() and source.suffix.lower() == ".zip") or (source / _LABELS).is_file()


def find(config: IngestConfig) -> Found:
    if config.source.is_dir():
        return _in_folder(config.source)
    names, skipped = members(config.source)
    is_image = {name: posixpath.splitext(name)[1].lower() in IMAGE_SUFFIXES for name in names}
    photos = [Photo(name, Member(config.source, name)) for name in sorted(names) if is_image[name]]
    text = read_member(config.source, _LABELS) if _LABELS in names else b"{}"
    others = (name for name in names if not is_image[name] and name != _LABELS)
    ignored = Counter(posixpath.splitext(name)[1].lower() for name in others)
    labelled, faults = with_labels(photos, text, f"{config.source}: {_LABELS}")
    return Found(labelled, (*skipped, *faults), ignored)


def _in_folder(source: Path) -> Found:
    tree = Tree(source)
    if _LABELS not in tree.files:
        raise MissingPath(f"{source}: no {_LABELS}.", "Give a folder or a ZIP of a StyleGAN data set.")
    text = tree.files[_LABELS].read_bytes()
    photos, faults = with_labels([tree.photo(name) for name in tree.images], text, str(source / _LABELS))
    return tree.found(photos, faults, {_LABELS})


def with_labels(
    photos: Iterable[Photo], text: bytes, where: str
) -> tuple[tuple[Photo, ...], tuple[Skipped, ...]]:
    """The photos with the labels of dataset.json, and what does not fit. Raises InputError."""
    try:
        content = json.loads(text.decode("utf-8-sig"))
    except ValueError as error:
        raise InputError(f"{where}: not JSON ({error}).", "Make the data set again.") from error
    entries = content.get("labels") if isinstance(content, dict) else content
    if entries is None:
        return tuple(photos), ()
    if not isinstance(entries, list) or not all(
        isinstance(entry, list) and len(entry) == 2 for entry in entries
    ):
        raise InputError(f"{where}: its labels are no list of [file, label].", "Make the data set again.")
    class_names = content.get("class_names") if isinstance(content, dict) else None
    labels = {str(name): label_of(label, class_names) for name, label in entries}
    labelled, skipped = [], []
    there = {photo.name: photo for photo in photos}
    for name, photo in there.items():
        label = labels.get(name)
        if label is None:
            fault = "has a label that is no class" if name in labels else "has no label"
            skipped.append(Skipped(name, f"{fault} in {_LABELS}", "label unknown"))
        else:
            labelled.append(dataclasses.replace(photo, label=label))
    lost = [
        Skipped(name, f"named in {_LABELS}, but not there", "photo missing")
        for name in labels
        if name not in there
    ]
    return tuple(labelled), (*skipped, *lost)


def label_of(label: Any, class_names: Any) -> str | None:
    """The class of an entry; None for what is no class: a negative number, a vector of several, a word."""
    if isinstance(label, list):
        label = label.index(1) if label.count(1) == 1 and label.count(0) == len(label) - 1 else None
    if isinstance(label, bool) or not isinstance(label, int) or label < 0:
        return None
    if not isinstance(class_names, list):
        return str(label)
    return str(class_names[label]) if label < len(class_names) else None
