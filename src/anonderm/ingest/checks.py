"""Which photos can be used: readable, large enough, and not the same picture twice."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import BadLabel, InputError, UnreadableImage
from anonderm.core.files import append_line, read_json_lines
from anonderm.core.images import Pixels
from anonderm.core.threads import in_order
from anonderm.ingest.sources.photo import Photo, SkipKind, Skipped

THUMBNAIL = 32
"""Pixels a side of the small picture by which copies are found."""

_LISTED = 10


@dataclass(frozen=True, slots=True)
class Check:
    """What reading a photo showed: width and height, the digest of its pixels and a small grey picture of it,
    or a problem."""

    photo: Photo
    width: int = 0
    height: int = 0
    pixels: str = ""
    thumbnail: bytes = b""
    problem: str = ""

    @property
    def thumbnail_TT(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.thumbnail, np.uint8).reshape(THUMBNAIL, THUMBNAIL)


def check_photos(photos: Iterable[Photo], min_side: int, journal: Path) -> Iterator[Check]:
    """Read every photo whole, a few at a time.

    What was read is noted in `journal`, so that a resumed run reads only new, changed and unreadable files.
    """
    known = {row["stamp"]: row for row in read_json_lines(journal)}

    def look(photo: Photo) -> tuple[Photo, dict[str, Any]]:
        stamp = photo.place.stamp
        return photo, known.get(stamp) or {"stamp": stamp, **_look(photo)}

    for photo, row in in_order(look, photos):
        if "problem" in row:
            yield Check(photo, problem=row["problem"])
            continue
        if row["stamp"] not in known:
            append_line(journal, json.dumps(row, ensure_ascii=False))
        width, height = row["width"], row["height"]
        too_small = f"{width} x {height} pixels, smaller than min_side = {min_side}."
        problem = too_small if min(width, height) < min_side else ""
        yield Check(photo, width, height, row["pixels"], b64decode(row["thumbnail"]), problem)


def _look(photo: Photo) -> dict[str, Any]:
    try:
        image_HWC = photo.pixels()
    except InputError as error:
        return {"problem": error.message.removeprefix(f"{photo.name}: ")}
    height, width = image_HWC.shape[:2]
    digest = sha256(f"{image_HWC.shape}".encode())
    digest.update(np.ascontiguousarray(image_HWC).data)
    thumbnail = b64encode(_thumbnail(image_HWC)).decode()
    return {"width": width, "height": height, "pixels": digest.hexdigest(), "thumbnail": thumbnail}


def _thumbnail(image_HWC: Pixels) -> bytes:
    """Grey averages of THUMBNAIL x THUMBNAIL equal parts, whatever the photo's shape."""
    import cv2

    grey_HW = cv2.cvtColor(np.ascontiguousarray(image_HWC), cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey_HW, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA).tobytes()


def drop_duplicates(
    checks: Sequence[Check], on_conflict: Literal["error", "drop"] = "error"
) -> tuple[list[Check], list[Skipped]]:
    """Keep one photo of each group with identical pixels, as `keep_first` does. Raises BadLabel."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.pixels, []).append(check)
    return keep_first(list(groups.values()), "the same picture as", "duplicate", on_conflict)


def keep_first(
    groups: Sequence[Sequence[Check]], what: str, kind: SkipKind, on_conflict: Literal["error", "drop"]
) -> tuple[list[Check], list[Skipped]]:
    """The first photo of each group of copies; `what` says what the others are to it, `kind` how they are
    counted.

    Where copies have different labels, every one of them is left out ("drop"), or BadLabel is raised, naming
    them.
    """
    kept, skipped, conflicts = [], [], []
    for first, *others in groups:
        copies = [check.photo.name for check in others]
        if any(check.photo.label != first.photo.label for check in others):
            conflicts += [f"{copy} is {what} {first.photo.name}" for copy in copies]
            skipped += [
                Skipped(check.photo.name, _two_labels(check, (first, *others), what), "two labels")
                for check in (first, *others)
            ]
        else:
            kept.append(first)
            skipped += [Skipped(copy, f"{what} {first.photo.name}", kind) for copy in copies]
    if conflicts and on_conflict == "error":
        raise BadLabel(
            f"The same picture lies in two classes:{shortened(conflicts)}",
            "Leave each picture in one class only, then run the same command again, or add --on-conflict "
            "drop to leave out all copies of such pictures.",
        )
    return kept, skipped


def _two_labels(check: Check, group: Sequence[Check], what: str) -> str:
    other = next(each.photo for each in group if each.photo.label != check.photo.label)
    return f"labelled {check.photo.label}, and {what} {other.name}, labelled {other.label}"


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
