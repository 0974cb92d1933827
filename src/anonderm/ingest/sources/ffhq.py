"""FFHQ (Karras et al., CVPR 2019): 70,000 faces from Flickr, each with its own licence and author.

images1024x1024/00000/00000.png    a folder a thousand; or thumbnails128x128/, or in-the-wild-images/
ffhq-dataset-v2.json               for each photo its licence, its author, and whether it is for training
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.tree import Tree, read_text

# Folder -> what the metadata call it; the first that is there is read.
_FOLDERS = {"images1024x1024": "image", "thumbnails128x128": "thumbnail", "in-the-wild-images": "in_the_wild"}
_JSON = "ffhq-dataset-v*.json"
_SET_LICENCE = "FFHQ: CC BY-NC-SA 4.0, NVIDIA Corporation"
_KEPT = {
    "category",
    "metadata",
    "license",
    "license_url",
    "author",
    "photo_url",
    "file_path",
    *_FOLDERS.values(),
}


def fits(source: Path) -> bool:
    return any((source / folder).is_dir() for folder in _FOLDERS) or any(source.glob(_JSON))


def find(config: IngestConfig) -> Found:
    tree = Tree(config.source)
    folder = next((name for name in _FOLDERS if any(each.startswith(f"{name}/") for each in tree.images)), "")
    photos = [
        dataclasses.replace(tree.photo(name), licence=_SET_LICENCE)
        for name in tree.images
        if name.startswith(f"{folder}/")
    ]
    files = sorted(config.source.glob(_JSON))
    if not files:
        return tree.found(photos, (), (), folder)
    entries = read_metadata(files[-1])
    by_file = {_path_of(entry, _FOLDERS.get(folder, "")): entry for entry in entries.values()}
    known = [_with_facts(photo, by_file[photo.name]) for photo in photos if photo.name in by_file]
    skipped = [
        Skipped(photo.name, f"not in {files[-1].name}, so nobody knows its licence", "licence unknown")
        for photo in photos
        if photo.name not in by_file
    ]
    if absent := len(by_file) - len(known):
        skipped.append(
            Skipped(files[-1].name, f"{absent} of the photos that it names are not there", "photo missing")
        )
    return tree.found(known, skipped, {file.name for file in files}, folder)


def read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Number -> what the file says of the photo, without landmarks, which would fill gigabytes.

    Raises InputError.
    """

    def kept(entry: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in entry.items() if key in _KEPT or key.isdecimal()}

    try:
        content = json.loads(read_text(path), object_hook=kept)
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error}).", "Download it again.") from error
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise InputError(f"{path}: not the metadata of FFHQ.", "Download it again.")
    return content


def _path_of(entry: dict[str, Any], kind: str) -> str:
    """Where this photo lies. Version 1 of the metadata has no folder a thousand; the pictures always have."""
    file = entry.get(kind)
    parts = str(file.get("file_path", "") if isinstance(file, dict) else "").split("/")
    if len(parts) == 2:
        stem = parts[1].partition(".")[0]
        parts = [parts[0], f"{int(stem) // 1000 * 1000:05d}" if stem.isdecimal() else "", parts[1]]
    return "/".join(parts)


def _with_facts(photo: Photo, entry: dict[str, Any]) -> Photo:
    told = entry.get("metadata")
    told = told if isinstance(told, dict) else {}
    own = f"{told.get('license', 'licence not stated')} ({told.get('license_url', '')})"
    split = {"training": "train", "validation": "val"}.get(str(entry.get("category")))
    credit = " ".join(filter(None, (str(told.get("author", "")), str(told.get("photo_url", "")))))
    return dataclasses.replace(photo, licence=f"{own}; {_SET_LICENCE}", credit=credit, split=split)
