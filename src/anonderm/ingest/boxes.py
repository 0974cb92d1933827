"""Lesion boxes of a source, brought into pixels of their photo once its size is known."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from anonderm.core.affine import crop_and_scale, map_lesions
from anonderm.core.records import Lesion
from anonderm.ingest.checks import Check
from anonderm.ingest.sources.photo import Photo, Skipped

_SAME_SHAPE = 0.02  # largest relative difference of two aspect ratios of one picture, resized


def settled(checks: Iterable[Check]) -> tuple[list[Check], list[Skipped]]:
    """The photos with all boxes in pixels, cut at the photo's edge, and the boxes that had to be left out.

    Left out are boxes of no area or with less than half of it inside the photo, and all boxes of a photo
    which is not of the shape that the source says.
    """
    kept, lost = [], []
    for check in checks:
        photo, problems = _settled(check.photo, check.width, check.height)
        kept.append(dataclasses.replace(check, photo=photo))
        lost += [Skipped(photo.name, problem, "box outside its photo") for problem in problems]
    return kept, lost


def _settled(photo: Photo, width: int, height: int) -> tuple[Photo, list[str]]:
    if not photo.lesions:
        return photo, []
    told_width, told_height = photo.boxes_in or (width, height)
    shares = photo.boxes_in == (1, 1)
    if not shares and abs(width * told_height / (height * told_width) - 1) > _SAME_SHAPE:
        problem = (
            f"{len(photo.lesions)} boxes are told for a picture of {told_width:g} x {told_height:g} pixels, "
            f"but it has {width} x {height}"
        )
        return dataclasses.replace(photo, lesions=(), boxes_in=None), [problem]
    whole = crop_and_scale(0, 0, told_width, told_height, (width, height))
    lesions: list[Lesion] = []
    problems = []
    for lesion in photo.lesions:
        upright = lesion.x0 < lesion.x1 and lesion.y0 < lesion.y1
        inside = map_lesions((lesion,), whole, (width, height))[0] if upright else ()
        lesions += inside
        if not inside:
            box = f"{lesion.x0:g},{lesion.y0:g} to {lesion.x1:g},{lesion.y1:g}"
            problems.append(f"the box of a {lesion.kind} ({box}) lies outside the photo or has no area")
    return dataclasses.replace(photo, lesions=tuple(lesions), boxes_in=None), problems
