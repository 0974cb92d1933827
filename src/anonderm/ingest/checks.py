"""Which photos and boxes can be used, each picture only once; and the list of what is left out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anonderm.core.affine import crop_and_scale, map_lesions
from anonderm.core.errors import BadLabel, InputError
from anonderm.core.files import write_json_lines
from anonderm.core.images import write_png
from anonderm.core.parallel import in_threads
from anonderm.core.progress import Bar
from anonderm.core.records import Lesion
from anonderm.core.rundir import Memory, RunDir
from anonderm.embeddings.near_duplicates.search import groups_of_copies, thumbnail
from anonderm.ingest.sources.photo import Photo, SkipKind, Skipped

_LISTED = 10
_SAME_SHAPE = 0.02  # largest relative difference between the aspect ratios of a picture and a resized copy
_SHOWN, _SIDE = 12, 128  # thumbnails of each kind of skipped photos, and their longest side


@dataclass(frozen=True, slots=True)
class Check:
    """The size of a photo, the digest of its pixels and a grey thumbnail, or the problem with it."""

    photo: Photo
    width: int = 0
    height: int = 0
    pixels: str = ""
    thumbnail_TT: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0), np.uint8))
    problem: str = ""


def check_photos(
    photos: Iterable[Photo], min_side: int, max_megapixels: float, memory: Memory
) -> Iterator[Check]:
    """Decode every photo, a few at a time, except those that `memory` knows and that have not changed."""

    def decode(photo: Photo) -> tuple[Photo, str, dict[str, Any]]:
        stamp = photo.place.stamp
        return photo, stamp, {} if stamp in memory else _decode(photo, max_megapixels)

    for photo, stamp, facts in in_threads(decode, photos):
        if "problem" in facts:
            yield Check(photo, **facts)
            continue
        check = Check(photo, **memory.remember(stamp, lambda facts=facts: facts))  # type: ignore[misc]
        small = f"{check.width} x {check.height} pixels, smaller than min_side = {min_side}."
        yield check if min(check.width, check.height) >= min_side else replace(check, problem=small)


def _decode(photo: Photo, max_megapixels: float) -> dict[str, Any]:
    try:
        image_HWC = photo.pixels(max_megapixels)
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
    kept, skipped = keep_first(list(groups.values()), "the same picture as", "duplicate", on_conflict)
    settled = [_with_lesions_of_all(check, groups[check.pixels]) for check in kept]
    return [check for check, _ in settled], [*skipped, *(note for _, note in settled if note is not None)]


def _with_lesions_of_all(first: Check, copies: Sequence[Check]) -> tuple[Check, Skipped | None]:
    """The first of the same pictures with the lesions that any of them states; they are unknown, and noted,
    if two differ in them."""
    boxed = [check.photo for check in copies if check.photo.lesions is not None]
    typed = [check.photo for check in copies if check.photo.lesion_types is not None]
    counts = [Counter(lesion.kind for lesion in photo.lesions or ()) for photo in boxed]
    types = [photo.lesion_types for photo in typed]
    if any(each != counts[0] for each in counts) or any(each != types[0] for each in types):
        reason = (
            f"other lesions are stated for the same picture in {copies[1].photo.name}; they are unknown now"
        )
        return (
            replace(first, photo=first.photo.with_boxes(None)),
            Skipped(first.photo.name, reason, "box unusable"),
        )
    known = next(iter((*boxed, *typed)), first.photo)
    photo = replace(
        first.photo, lesions=known.lesions, boxes_in=known.boxes_in, lesion_types=known.lesion_types
    )
    return replace(first, photo=photo), None


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


def boxes_in_pixels(checks: Iterable[Check]) -> tuple[list[Check], list[Skipped]]:
    """The photos with all boxes in pixels, clipped to the photo, and what is wrong with others.

    A photo's boxes are unknown if one of them has no area or lies for more than half outside, or if its
    aspect ratio differs from the one that the source states.
    """
    kept, lost = [], []
    for check in checks:
        photo, problems = _in_pixels(check.photo, check.width, check.height)
        kept.append(replace(check, photo=photo))
        lost += [Skipped(photo.name, problem, "box outside its photo") for problem in problems]
    return kept, lost


def _in_pixels(photo: Photo, width: int, height: int) -> tuple[Photo, list[str]]:
    if not photo.lesions:
        return replace(photo, boxes_in=None), []
    box_width, box_height = photo.boxes_in or (width, height)
    shares = photo.boxes_in == (1, 1)
    if not shares and abs(width * box_height / (height * box_width) - 1) > _SAME_SHAPE:
        problem = (
            f"{len(photo.lesions)} boxes refer to a picture of {box_width:g} x {box_height:g} pixels, "
            f"but it has {width} x {height}"
        )
        return photo.with_boxes(None), [problem]
    whole = crop_and_scale(0, 0, box_width, box_height, (width, height))
    lesions: list[Lesion] = []
    problems: list[str] = []
    for lesion in photo.lesions:
        has_area = lesion.width > 0 and lesion.height > 0
        inside = map_lesions((lesion,), whole, (width, height))[0] if has_area else ()
        lesions += inside
        if not inside:
            box = f"{lesion.x0:g},{lesion.y0:g} to {lesion.x1:g},{lesion.y1:g}"
            problems.append(f"the box of a {lesion.kind} ({box}) lies outside the photo or has no area")
    return photo.with_boxes(None) if problems else replace(
        photo, lesions=tuple(lesions), boxes_in=None
    ), problems


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
        rows.append({**asdict(item), "picture": picture})
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


def shortened(lines: Sequence[str]) -> str:
    """The first lines, indented, and how many more there are."""
    more = [f"... and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "".join(f"\n    {line}" for line in [*lines[:_LISTED], *more])
