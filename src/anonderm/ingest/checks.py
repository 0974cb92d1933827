"""Which photos can be used: readable, large enough, and each picture only once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anonderm.core.errors import BadLabel, InputError, UnreadableImage
from anonderm.core.memory import Memory
from anonderm.core.parallel import in_threads
from anonderm.core.progress import Bar
from anonderm.embeddings.near_duplicates.search import groups_of_copies, thumbnail
from anonderm.ingest.sources.photo import Photo, SkipKind, Skipped

_LISTED = 10


@dataclass(frozen=True, slots=True)
class Check:
    """The size of a photo, the digest of its pixels and a grey thumbnail, or the problem with it."""

    photo: Photo
    width: int = 0
    height: int = 0
    pixels: str = ""
    thumbnail_TT: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    problem: str = ""


def check_photos(photos: Iterable[Photo], min_side: int, memory: Memory) -> Iterator[Check]:
    """Decode every photo, a few at a time, except those that `memory` knows and that have not changed."""

    def decode(photo: Photo) -> tuple[Photo, str, dict[str, Any]]:
        stamp = photo.place.stamp
        return photo, stamp, {} if stamp in memory else _decode(photo)

    for photo, stamp, facts in in_threads(decode, photos):
        if "problem" in facts:
            yield Check(photo, **facts)
            continue
        check = Check(photo, **memory.remember(stamp, lambda facts=facts: facts))  # type: ignore[misc]
        small = f"{check.width} x {check.height} pixels, smaller than min_side = {min_side}."
        yield check if min(check.width, check.height) >= min_side else replace(check, problem=small)


def _decode(photo: Photo) -> dict[str, Any]:
    try:
        image_HWC = photo.pixels()
    except InputError as error:
        return {"problem": error.message.removeprefix(f"{photo.name}: ")}
    height, width = image_HWC.shape[:2]
    digest = sha256(f"{image_HWC.shape}".encode())
    digest.update(np.ascontiguousarray(image_HWC).data)
    return {
        "width": width,
        "height": height,
        "pixels": digest.hexdigest(),
        "thumbnail_TT": thumbnail(image_HWC),
    }


def drop_duplicates(
    checks: Sequence[Check], on_conflict: Literal["error", "drop"] = "error"
) -> tuple[list[Check], list[Skipped]]:
    """Keep one photo of each group with identical pixels, by `keep_first`. Raises BadLabel."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.pixels, []).append(check)
    return keep_first(list(groups.values()), "the same picture as", "duplicate", on_conflict)


def groups_of_near_duplicates(checks: Sequence[Check], bar: Bar | None = None) -> list[list[Check]]:
    """Groups of photos that are copies of one picture, the largest photo of each group first.

    Raises MissingPath or UnreadableImage for a photo that was removed or damaged since it was checked.
    """
    if not checks:
        return []
    thumbnails_NTT = np.stack([check.thumbnail_TT for check in checks])
    groups = groups_of_copies(thumbnails_NTT, lambda index: checks[index].photo.pixels(), bar)
    return [
        sorted((checks[index] for index in group), key=lambda check: -check.width * check.height)
        for group in groups
    ]


def keep_first(
    groups: Sequence[Sequence[Check]], relation: str, kind: SkipKind, on_conflict: Literal["error", "drop"]
) -> tuple[list[Check], list[Skipped]]:
    """The first photo of each group of copies; `relation` describes what the others are to it.

    If copies have different labels, all of them are left out ("drop"), or BadLabel is raised and names them.
    """
    kept, skipped, conflicts = [], [], []
    for group in groups:
        first, names = group[0].photo, [check.photo.name for check in group[1:]]
        if all(check.photo.label == first.label for check in group):
            kept.append(group[0])
            skipped += [Skipped(name, f"{relation} {first.name}", kind) for name in names]
        else:
            conflicts += [f"{name} is {relation} {first.name}" for name in names]
            reasons = ((check.photo.name, _two_labels(check, group, relation)) for check in group)
            skipped += [Skipped(name, reason, "two labels") for name, reason in reasons]
    if conflicts and on_conflict == "error":
        raise BadLabel(
            f"The same picture has two labels:{shortened(conflicts)}",
            "Keep each picture in one class only and run the same command again, or add --on-conflict drop "
            "to leave out all copies of such pictures.",
        )
    return kept, skipped


def _two_labels(check: Check, group: Sequence[Check], relation: str) -> str:
    other = next(each.photo for each in group if each.photo.label != check.photo.label)
    return f"labelled {check.photo.label}, and {relation} {other.name}, labelled {other.label}"


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
