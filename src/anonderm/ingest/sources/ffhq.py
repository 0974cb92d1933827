"""FFHQ (Karras et al., CVPR 2019): 70,000 faces from Flickr, each with its own licence and author.

images1024x1024/00000/00000.png    1000 per folder; or thumbnails128x128/, or in-the-wild-images/
ffhq-dataset-v2.json               licence, author, and training or validation, for each photo

With that file the photos may lie anywhere, and be resized or of another format: their names identify them.
"""

import dataclasses
import posixpath
import re
from pathlib import Path
from typing import Any

from anonderm.core.documents import parse_json, read_text
from anonderm.core.errors import InputError
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo

# Folder -> its key in the metadata; the first that exists is read.
_FOLDERS = {"images1024x1024": "image", "thumbnails128x128": "thumbnail", "in-the-wild-images": "in_the_wild"}
_JSON = re.compile(r"ffhq-dataset-v\d+\.json")
_SET_LICENCE = "FFHQ: CC BY-NC-SA 4.0, NVIDIA Corporation"
_KEPT = {
    *("category", "metadata", "license", "license_url", "author", "photo_url", "file_path"),
    *_FOLDERS.values(),
}


def fits(listing: Listing) -> bool:
    return any(_lies_in(name, each) for name in listing.images for each in _FOLDERS) or bool(
        _metadata(listing)
    )


def _metadata(listing: Listing) -> list[str]:
    return [name for name in listing.files if _JSON.fullmatch(posixpath.basename(name))]


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    folder = next((each for each in _FOLDERS if any(_lies_in(name, each) for name in listing.images)), "")
    files = _metadata(listing)
    photos = [
        listing.photo(name) for name in listing.images if _lies_in(name, folder) or (files and not folder)
    ]
    if not files:
        listing.photos = [dataclasses.replace(photo, licence=_SET_LICENCE) for photo in photos]
        return listing.found((), folder)
    metadata = files[-1]
    stated = read_metadata(listing.files[metadata]).values()
    paths = ((_path_of(each, _FOLDERS.get(folder, "image")), each) for each in stated)
    entries = {name: each for path, each in paths if path and (name := listing.find(path))}
    for photo in photos:
        if photo.name in entries:
            listing.photos.append(_with_facts(photo, entries[photo.name]))
        else:
            listing.skip(photo.name, f"not in {metadata}, so its licence is unknown", "licence unknown")
    if absent := len(stated) - len(listing.photos):
        listing.skip(metadata, f"{absent} of the photos that it names do not exist", "photo missing")
    return listing.found(files, folder)


def _lies_in(name: str, folder: str) -> bool:
    return folder in name.split("/")[:-1]


def read_metadata(path: Path) -> dict[str, dict[str, Any]]:
    """Number of a photo -> its entry, without landmarks, which would fill gigabytes. Raises InputError."""

    def kept(entry: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in entry.items() if key in _KEPT or key.isdecimal()}

    content = parse_json(read_text(path), str(path), kept)
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise InputError(f"{path}: not the metadata of FFHQ.", "Download it again.")
    return content


def _path_of(entry: dict[str, Any], kind: str) -> str:
    """The path of this photo, with its folder of a thousand, which version 1 of the metadata omits."""
    file = entry.get(kind)
    parts = str(file.get("file_path", "") if isinstance(file, dict) else "").split("/")
    if len(parts) == 2:
        stem = parts[1].partition(".")[0]
        parts = [parts[0], f"{int(stem) // 1000 * 1000:05d}" if stem.isdecimal() else "", parts[1]]
    return "/".join(parts)


def _with_facts(photo: Photo, entry: dict[str, Any]) -> Photo:
    stated = entry.get("metadata")
    stated = stated if isinstance(stated, dict) else {}
    own = f"{stated.get('license', 'licence not stated')} ({stated.get('license_url', '')})"
    split = {"training": "train", "validation": "val"}.get(str(entry.get("category")))
    credit = " ".join(filter(None, (str(stated.get("author", "")), str(stated.get("photo_url", "")))))
    return dataclasses.replace(photo, licence=f"{own}; {_SET_LICENCE}", credit=credit, split=split)
