"""Photos in one folder, without classes."""

from __future__ import annotations

from pathlib import Path

from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.folders import is_image
from anonderm.ingest.sources.listing import count_suffixes
from anonderm.ingest.sources.photo import File, Found, Photo, printable


def fits(source: Path) -> bool:
    return source.is_dir() and any(is_image(path) for path in source.iterdir() if path.is_file())


def find(config: IngestConfig) -> Found:
    """Every image in the folder itself, by name; other files are ignored and counted."""
    files = sorted(path for path in config.source.iterdir() if not path.is_dir())
    photos = tuple(Photo(printable(path.name), File(path)) for path in files if is_image(path))
    return Found(photos, ignored=count_suffixes([path.name for path in files if not is_image(path)]))
