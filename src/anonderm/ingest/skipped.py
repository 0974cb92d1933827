"""What ingest left out, listed with reasons, and small pictures of it to look at."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from anonderm.core.errors import InputError
from anonderm.core.files import write_text
from anonderm.core.images import write_png
from anonderm.core.rundir import RunDir
from anonderm.ingest.sources.photo import Photo, Skipped

_SHOWN = 12  # photos of each kind
_SIDE = 128


def write_left_out(skipped: Sequence[Skipped], photos: Sequence[Photo], run: RunDir) -> None:
    """Write skipped.jsonl; the first photos of each kind that can be read are shown in skipped/."""
    by_name = {photo.name: photo for photo in photos}
    shown: Counter[str] = Counter()
    lines = []
    for item in skipped:
        picture = None
        if item.file in by_name and shown[item.kind] < _SHOWN:
            picture = _show(by_name[item.file], run.folder, f"skipped/{shown.total():04d}.png")
            shown[item.kind] += picture is not None
        row = {**dataclasses.asdict(item), "picture": picture}
        lines.append(json.dumps(row, ensure_ascii=False) + "\n")
    write_text(run.folder / "skipped.jsonl", "".join(lines))


def _show(photo: Photo, folder: Path, file: str) -> str | None:
    """Write the photo, shrunk, to folder/file; None where it cannot be read."""
    try:
        image = Image.fromarray(photo.pixels())
    except InputError:
        return None
    image.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    write_png(folder / file, np.asarray(image))
    return file
