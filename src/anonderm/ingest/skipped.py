"""The list of what ingest skipped, with reasons, and thumbnails of it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from anonderm.core.errors import InputError
from anonderm.core.files import write_json_lines
from anonderm.core.images import write_png
from anonderm.core.rundir import RunDir
from anonderm.ingest.sources.photo import Photo, Skipped

_SHOWN = 12  # photos of each kind
_SIDE = 128


def write_skipped(skipped: Sequence[Skipped], photos: Sequence[Photo], run: RunDir) -> None:
    """Write skipped.jsonl, and thumbnails of the first readable photos of each kind to skipped/."""
    by_name = {photo.name: photo for photo in photos}
    shown: Counter[str] = Counter()
    rows = []
    for item in skipped:
        picture = None
        if item.file in by_name and shown[item.kind] < _SHOWN:
            picture = _write_thumbnail(by_name[item.file], run.folder, f"skipped/{shown.total():04d}.png")
            shown[item.kind] += picture is not None
        rows.append({**dataclasses.asdict(item), "picture": picture})
    write_json_lines(run.folder / "skipped.jsonl", rows)


def _write_thumbnail(photo: Photo, folder: Path, file: str) -> str | None:
    """Write the photo, shrunk, to folder/file; None if it cannot be read."""
    try:
        image = Image.fromarray(photo.pixels())
    except InputError:
        return None
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    write_png(folder / file, np.asarray(image))
    return file
