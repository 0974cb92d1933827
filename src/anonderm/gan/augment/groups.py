"""The groups of transformations in each augmentation pipeline. Imports no torch."""

from __future__ import annotations

from typing import Literal

Group = Literal["blit", "geometry", "colour", "filter", "noise", "cutout"]

PipelineName = Literal[
    "none", "blit", "geometry", "colour", "filter", "noise", "cutout", "bg", "bgc", "bgcf", "bgcfn", "bgcfnc"
]

_IN_ORDER: tuple[Group, ...] = ("blit", "geometry", "colour", "filter", "noise", "cutout")

PIPELINES: dict[PipelineName, tuple[Group, ...]] = {
    "none": (),
    **{group: (group,) for group in _IN_ORDER},
    "bg": _IN_ORDER[:2],
    "bgc": _IN_ORDER[:3],
    "bgcf": _IN_ORDER[:4],
    "bgcfn": _IN_ORDER[:5],
    "bgcfnc": _IN_ORDER,
}
"""The names of the paper: cumulative groups, by their initials."""
