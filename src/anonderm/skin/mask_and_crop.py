"""mask-and-crop: FaceSet with skin masks -> FaceSet of skin only (Quattrini et al. 2022).

faces/     skin at its original resolution on black, cropped to its bounding box, with masks and lesions
rejected/  with fallback = skip: faces with too little skin
"""

# H x W pixels of a photo or its crop

import dataclasses

import cv2
import numpy as np
from numpy.typing import NDArray

from anonderm.core.affine import Affine, crop_and_scale, map_known_lesions
from anonderm.core.errors import InputError, TooFewImages
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.models.skin_segmenter.segment import Mask, little_skin
from anonderm.skin.config import MaskAndCropConfig

Box = tuple[int, int, int, int]  # left, top, right, bottom; the last two exclusive


def mask_and_crop(config: MaskAndCropConfig, faces: FaceSet, run: RunDir) -> FaceSet:
    """Crop every photo to its skin.

    Raises InputError if faces have no mask, TooFewImages if none is left.
    """
    without = [face.id for face in faces if face.mask is None]
    if without:
        raise InputError(
            f"{faces.folder}: {len(without)} of {len(faces)} faces have no skin mask, such as {without[0]}.",
            "Run `anonderm skin` on them first.",
        )
    kept, rejected = FaceSetWriter(run.folder / "faces"), FaceSetWriter(run.folder / "rejected")
    done = kept.done | rejected.done
    lost = 0
    for face in run.progress([face for face in faces if face.id not in done], "cropping to skin"):
        reason = little_skin(faces.mask(face), config.min_skin)
        marked = dataclasses.replace(face, reason=reason or face.reason)
        if reason and config.fallback == "skip":
            rejected.add_from(faces, marked)
        else:
            lost += _store(kept, faces, marked, reason is None, config.size)
    rejects, cut = rejected.finish(), kept.finish()
    if lost:
        run.log(f"{lost} lesion boxes lie outside the bounding box of the skin and are lost")
    _check_rejects(faces, cut, len(rejects), run)
    return cut


def _check_rejects(faces: FaceSet, cut: FaceSet, rejects: int, run: RunDir) -> None:
    """Log how many faces have too little skin. Raises TooFewImages if none is left."""
    whole = sum(face.framing != "skin" for face in cut)
    if rejects or whole:
        run.log(
            f"too little skin in {rejects + whole} of {len(faces)} faces: {rejects} moved to rejected/, "
            f"{whole} kept whole"
        )
    if not len(cut):
        raise TooFewImages(
            f"{faces.folder}: none of {len(faces)} faces shows enough skin.",
            "Check their masks, or lower --min-skin (in another --out).",
        )


def box_around(mask_HW: Mask) -> Box:
    """The bounding box of the skin; there must be some."""
    rows, columns = np.flatnonzero(mask_HW.any(axis=1)), np.flatnonzero(mask_HW.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _store(writer: FaceSetWriter, faces: FaceSet, face: Face, crop: bool, size: int | None) -> int:
    """Write a face with its mask and lesions, cropped or whole; returns how many lesions are lost."""
    image_HWC, mask_HW = faces.image(face), faces.mask(face)
    box, framing = (0, 0, mask_HW.shape[1], mask_HW.shape[0]), face.framing
    if crop:
        image_HWC = np.where(mask_HW[:, :, None], image_HWC, np.uint8(0))  # black outside the skin
        box, framing = box_around(mask_HW), "skin"
    image_HWC, affine = cut_out(image_HWC, box, size)
    grey_HW, _ = cut_out(mask_HW.astype(np.uint8) * 255, box, size)
    height, width = image_HWC.shape[:2]
    lesions, lost = map_known_lesions(face.lesions, affine, (width, height))
    writer.add(image_HWC, dataclasses.replace(face.with_lesions(lesions), framing=framing), grey_HW > 127)
    return lost


def cut_out(picture: NDArray[np.uint8], box: Box, size: int | None) -> tuple[NDArray[np.uint8], Affine]:
    """The box of a picture [H, W] or [H, W, 3], and the affine map of its pixels.

    With a size, the box is padded with black to a square and resampled.
    """
    left, top, right, bottom = box
    cut = picture[top:bottom, left:right]
    if size is None:
        return cut, crop_and_scale(left, top, right - left, bottom - top, (right - left, bottom - top))
    side = max(cut.shape[:2])
    above, before = (side - cut.shape[0]) // 2, (side - cut.shape[1]) // 2
    square = np.zeros((side, side, *cut.shape[2:]), np.uint8)
    square[above : above + cut.shape[0], before : before + cut.shape[1]] = cut
    smooth = cv2.INTER_AREA if size < side else cv2.INTER_LINEAR
    scaled = cv2.resize(square, (size, size), interpolation=smooth)
    return scaled.astype(np.uint8, copy=False), crop_and_scale(
        left - before, top - above, side, side, (size, size)
    )
