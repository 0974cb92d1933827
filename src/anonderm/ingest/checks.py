"""Which photos can be used: readable, large enough, and not the same picture twice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anonderm.core.errors import BadLabel, InputError, UnreadableImage
from anonderm.core.files import append_line, read_json_lines, sha256_bytes
from anonderm.core.images import read_image
from anonderm.ingest.folder import Photo, printable

_LISTED = 10


@dataclass(frozen=True, slots=True)
class Check:
    """What reading a photo showed: its shorter side in pixels and the digest of its pixels, or a problem."""

    photo: Photo
    side: int = 0
    pixels: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A photo that is left out, and why."""

    file: str
    reason: str


def check_photos(photos: Iterable[Photo], min_side: int, journal: Path) -> Iterator[Check]:
    """Read every photo whole, one at a time.

    What was read is noted in `journal`, so that a resumed run reads only new, changed and unreadable files.
    """
    known = {row["stamp"]: row for row in read_json_lines(journal)}
    for photo in photos:
        stamp = _stamp(photo)
        row = known.get(stamp)
        if row is None:
            try:
                row = {"stamp": stamp, **_look(photo)}
            except InputError as error:
                yield Check(photo, problem=error.message.removeprefix(f"{photo.path}: "))
                continue
            append_line(journal, json.dumps(row, ensure_ascii=False))
        width, height = row["width"], row["height"]
        too_small = f"{width} x {height} pixels, smaller than min_side = {min_side}."
        side = min(width, height)
        yield Check(photo, side, row["pixels"], problem=too_small if side < min_side else "")


def _look(photo: Photo) -> dict[str, Any]:
    image_HWC = read_image(photo.path)
    height, width = image_HWC.shape[:2]
    digest = sha256_bytes(f"{image_HWC.shape}".encode() + image_HWC.tobytes())
    return {"width": width, "height": height, "pixels": digest}


def _stamp(photo: Photo) -> str:
    """Changes when the file does."""
    place = printable(str(photo.path.absolute()))
    try:
        state = photo.path.stat()
    except OSError:  # a link that leads nowhere: reading it names the problem
        return place
    return f"{place} {state.st_size} {state.st_mtime_ns}"


def drop_duplicates(checks: Sequence[Check]) -> tuple[list[Photo], list[Skipped]]:
    """Keep one photo of each group with identical pixels.

    Raises BadLabel when such photos lie in different classes, naming them.
    """
    first: dict[str, Photo] = {}
    skipped: list[Skipped] = []
    conflicts: list[str] = []
    for check in checks:
        photo, same = check.photo, first.setdefault(check.pixels, check.photo)
        if same.label != photo.label:
            conflicts.append(f"{photo.name} is the same picture as {same.name}")
        elif same is not photo:
            skipped.append(Skipped(photo.name, f"the same picture as {same.name}"))
    if conflicts:
        raise BadLabel(
            f"The same picture lies in two classes:{shortened(conflicts)}",
            "Leave each picture in one class only, then run the same command again.",
        )
    return list(first.values()), skipped


def unusable(problems: Sequence[Skipped], total: int) -> UnreadableImage:
    """The error that names the photos which cannot be used."""
    lines = [f"{problem.file}: {problem.reason}" for problem in problems]
    return UnreadableImage(
        f"{len(problems)} of {total} photos cannot be used:{shortened(lines)}",
        "Repair or remove them and run the same command again, or add --skip-unreadable to leave them out.",
    )


def shortened(lines: Sequence[str]) -> str:
    """The first lines, indented, and how many more there are."""
    more = [f"... and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "".join(f"\n    {line}" for line in [*lines[:_LISTED], *more])
