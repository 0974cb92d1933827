"""skin: FaceSet -> FaceSet, each face with a mask of its skin and the tone of that skin.

faces/        the faces, images unchanged; mask and ita are new
rejected/     with fallback = skip: faces with too little skin
overlay.png   some photos with their skin masks
results.json  skin tones by class, and the faces with too little skin
tone.png      skin tones by class
"""

# H x W pixels of a photo, S pixels a side of the picture

import dataclasses

import cv2
import numpy as np

from anonderm.core import weights
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import sha256_file
from anonderm.core.images import Pixels, grid, write_png
from anonderm.core.launch import device
from anonderm.core.results.base import FILE
from anonderm.core.rundir import RunDir
from anonderm.models.skin_segmenter.segment import (
    Mask,
    Segmenter,
    is_little_skin,
    little_skin,
    load_face_parsing,
    load_segmenter,
)
from anonderm.skin.config import SkinConfig
from anonderm.skin.skin_tone import skin_ita
from anonderm.skin.tone_report import WARNING, draw_tones, skin_tones

_SHIPPED = "phantom-skin"
_SHOWN, _COLUMNS, _SIDE = 24, 8, 192
_OUTLINE = (0, 255, 120)


def segment_skin(
    config: SkinConfig, faces: FaceSet, run: RunDir, network: Checkpoint | None = None
) -> FaceSet:
    """Give every face a mask of its own size; faces with less skin than `min_skin` are counted and listed.

    Raises ConfigError (both a checkpoint and third-party weights), and what loading the weights raises.
    """
    known = config.keep_masks and all(face.mask is not None for face in faces)
    segmenter = None if known else _segmenter(config, network, run)
    kept, rejected = FaceSetWriter(run.folder / "faces"), FaceSetWriter(run.folder / "rejected")
    done = kept.done | rejected.done
    for face in run.progress([face for face in faces if face.id not in done], "segmenting skin"):
        image_HWC = faces.image(face)
        own = segmenter is None or (config.keep_masks and face.mask is not None)
        mask_HW = faces.mask(face) if segmenter is None or own else segmenter.mask(image_HWC)
        ita = skin_ita(image_HWC, mask_HW, face.boxes)
        reason = little_skin(mask_HW, config.min_skin)
        segmented = dataclasses.replace(face, ita=ita, reason=reason or face.reason)
        writer = rejected if reason and config.fallback == "skip" else kept
        writer.add_from(faces, segmented, None if own else mask_HW)
    rejected_faces, kept_faces = rejected.finish(), kept.finish()
    _report(faces, kept_faces, rejected_faces, run)
    return kept_faces


def _segmenter(config: SkinConfig, network: Checkpoint | None, run: RunDir) -> Segmenter:
    if network is not None and config.weights is not None:
        raise ConfigError("Both a checkpoint and third-party weights are given.", "Leave one of them out.")
    if config.weights is not None:
        path = weights.find(config.weights)
        segmenter = load_face_parsing(path, device())
        run.log(f"skin and nose segmented by {path.name} (sha256 {sha256_file(path)[:16]})")
    else:
        checkpoint = network or weights.load(_SHIPPED)
        segmenter = load_segmenter(checkpoint, device())
        run.log(f"skin segmented by {checkpoint.path}")
        if network is None:
            run.log(f"warning: {_SHIPPED} was trained on drawn faces only; check overlay.png")
    return dataclasses.replace(segmenter, size=config.size or segmenter.size)


def _report(faces: FaceSet, kept: FaceSet, rejected: FaceSet, run: RunDir) -> None:
    little = {face.id: str(face.reason) for face in (*kept, *rejected) if is_little_skin(face.reason)}
    tones = skin_tones(kept, {face.id: face.ita for face in faces if face.ita is not None}, little)
    tones.save(run.folder / FILE)
    if little:
        what = "moved to rejected/" if len(rejected) else "kept, with the reason in the manifest"
        run.log(f"{len(little)} of {len(faces)} faces have too little skin: {what}; listed in {FILE}")
    if not len(kept):
        return
    draw_tones(tones, run.folder / "tone.png")
    shown = kept.faces[:: -(-len(kept) // _SHOWN)]
    sheet = [overlay(kept.image(face), kept.mask(face)) for face in shown]
    write_png(run.folder / "overlay.png", grid(np.stack(sheet), _COLUMNS))
    for name, score in tones.scores().items():
        run.log(f"{name}: {score.value:.2f} ({score.n} faces)")
    if tones.unmeasured:
        run.log(f"{tones.unmeasured} faces without a skin tone: too little skin, or no colour")
    run.log(f"warning: {WARNING}")


def overlay(image_HWC: Pixels, mask_HW: Mask, side: int = _SIDE) -> Pixels:
    """The photo fitted into a white square, dimmed outside the outlined skin: [S, S, 3]."""
    scale = side / max(mask_HW.shape)
    height, width = (max(1, round(length * scale)) for length in mask_HW.shape)
    small_HWC = cv2.resize(image_HWC, (width, height), interpolation=cv2.INTER_AREA)
    inside_HW = cv2.resize(mask_HW.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.5
    small_HWC[~inside_HW] = small_HWC[~inside_HW] // 2
    edge_HW = cv2.morphologyEx(inside_HW.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)) > 0
    small_HWC[edge_HW] = _OUTLINE
    square_SSC = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square_SSC[top : top + height, left : left + width] = small_HWC
    return square_SSC
