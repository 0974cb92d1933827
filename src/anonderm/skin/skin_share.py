"""Faces that show too little skin to be of use."""

from __future__ import annotations

from anonderm.models.skin_segmenter.segment import Mask

LITTLE_SKIN = "little skin"


def little_skin(mask_HW: Mask, least: float) -> str | None:
    """The reason to put a face aside, or None."""
    share = float(mask_HW.mean())
    return f"{LITTLE_SKIN}: {share:.2%} of the photo" if share < least or not mask_HW.any() else None
