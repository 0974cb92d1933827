"""Files of a source that look like labels of its photos, though its layout does not read them."""

import posixpath
import re
from collections.abc import Collection

from anonderm.ingest.sources.listing import Listing

_TEXTS = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xml", ".txt", ".lst", ".yaml", ".yml", ".html"}
SHEETS = {".xlsx", ".xls", ".ods", ".numbers"}
"""Suffixes of spreadsheets."""

_TABLES = SHEETS | {".parquet", ".arrow", ".feather", ".mat", ".npy", ".npz", ".pkl"}
_PACKED = re.compile(
    r".*\.(csv|tsv|jsonl?|xml|txt)\.(gz|bz2|xz|zip)|.*(annot|label|mask)[^/]*\.(zip|tar|tgz|7z|rar)"
)
_MASKS = re.compile(r"(.*/)?([a-z]+_)?(masks?|labels?|annotations?|segmentations?|segmentationclass)/.*")
_READ = 4 << 20
_WORD = re.compile(r"[^\s,;:|\"'<>()\[\]{}=/\\]+")
_QUOTED = re.compile(r"\"([^\"\\]*)\"")
_ENOUGH = 3  # names without suffix, which may be plain words


def label_files(listing: Listing, among: Collection[str] | None = None) -> list[str]:
    """Files that are called like a photo, or name photos; pictures in a folder of masks, called like a photo
    in another; and binary tables, seldom anything else.

    `among`: the names of the files to look at; all by default.
    """
    names = {posixpath.basename(image).lower() for image in listing.images}
    stems = {posixpath.splitext(name)[0] for name in names}
    photos = {_stem(image) for image in listing.images if not _MASKS.fullmatch(image.lower())}
    masks = {name for name in listing.images if _MASKS.fullmatch(name.lower()) and _stem(name) in photos}
    return [
        name
        for name in (listing.files if among is None else among)
        if name in masks
        or _PACKED.fullmatch(name.lower())
        or (suffix := posixpath.splitext(name)[1].lower()) in _TABLES
        or (
            suffix in _TEXTS
            and (_stem(name) in stems | names or _names(listing.head(name, _READ), suffix, names, stems))
        )
    ]


def may_be_labels(name: str) -> bool:
    suffix = posixpath.splitext(name)[1].lower()
    return suffix in _TEXTS | _TABLES or _PACKED.fullmatch(name.lower()) is not None


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0].lower()


def _names(data: bytes, suffix: str, names: set[str], stems: set[str]) -> bool:
    """Whether a text names photos; also without their suffix, where labels would stand in such a file."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    text = data.decode(encoding, "replace").lower()
    words = set(_WORD.findall(text))
    if words & names:
        return True
    if suffix in (".csv", ".tsv"):
        return len(words & stems) >= _ENOUGH
    if suffix in (".json", ".jsonl", ".ndjson"):
        return len(set(_QUOTED.findall(text)) & stems) >= _ENOUGH
    lines = [line.split()[0] for line in text.splitlines() if line.strip()]
    listed = [word for word in lines if word in stems]
    return len(set(listed)) >= _ENOUGH and 2 * len(listed) >= len(lines)
