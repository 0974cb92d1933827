"""Lesion boxes of a source, converted to pixels of their photo once its size is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from anonderm.core.affine import crop_and_scale, map_lesions
from anonderm.core.records import Lesion
from anonderm.ingest.checks import Check
from anonderm.ingest.sources.photo import Photo, Skipped

_SAME_SHAPE = 0.02  # largest relative difference between the aspect ratios of a picture and a resized copy


def boxes_in_pixels(checks: Iterable[Check]) -> tuple[list[Check], list[Skipped]]:
    """The photos with all boxes in pixels, clipped to the photo, and the boxes that had to be left out.

    These are boxes without area or with less than half of it inside the photo, and all boxes of a photo whose
    aspect ratio differs from the one that the source states.
    """
    kept, lost = [], []
    for check in checks:
        photo, problems = _in_pixels(check.photo, check.width, check.height)
        kept.append(dataclasses.replace(check, photo=photo))
        lost += [Skipped(photo.name, problem, "box outside its photo") for problem in problems]
    return kept, lost


def _in_pixels(photo: Photo, width: int, height: int) -> tuple[Photo, list[str]]:
    if not photo.lesions:
        return photo, []
    box_width, box_height = photo.boxes_in or (width, height)
    shares = photo.boxes_in == (1, 1)
    if not shares and abs(width * box_height / (height * box_width) - 1) > _SAME_SHAPE:
        problem = (
            f"{len(photo.lesions)} boxes refer to a picture of {box_width:g} x {box_height:g} pixels, "
            f"but it has {width} x {height}"
        )
        return dataclasses.replace(photo, lesions=(), boxes_in=None), [problem]
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
    return dataclasses.replace(photo, lesions=tuple(lesions), boxes_in=None), problems
