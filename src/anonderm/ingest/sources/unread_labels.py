"""Files of a source that look like labels of its photos, though its layout does not read them."""

import posixpath
import re

from anonderm.ingest.sources.listing import Listing

_TEXTS = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".xml", ".txt", ".yaml", ".yml", ".html"}
_TABLES = {".xlsx", ".xls", ".ods", ".numbers", ".parquet", ".arrow", ".feather"}
_READ = 4 << 20
_WORD = re.compile(r"[^\s,;:|\"'<>()\[\]{}=/\\]+")
_ENOUGH = 3  # names without suffix, which may be plain words


def label_files(listing: Listing) -> list[str]:
    """Files that are called like a photo, or name photos; and binary tables, seldom anything else."""
    names = {posixpath.basename(image).lower() for image in listing.images}
    stems = {posixpath.splitext(name)[0] for name in names}
    return [
        name
        for name in listing.files
        if (suffix := posixpath.splitext(name)[1].lower()) in _TABLES
        or (
            suffix in _TEXTS
            and (
                posixpath.splitext(posixpath.basename(name))[0].lower() in stems
                or _names(listing.head(name, _READ), suffix, names, stems)
            )
        )
    ]


def _names(text: bytes, suffix: str, names: set[str], stems: set[str]) -> bool:
    """Whether a text names photos; in a table, also without their suffix."""
    encoding = "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    words = {word.lower() for word in _WORD.findall(text.decode(encoding, "replace"))}
    return bool(words & names) or (suffix in (".csv", ".tsv") and len(words & stems) >= _ENOUGH)
