"""skin: FaceSet -> FaceSet, each face with a mask of its skin and the tone of that skin.

faces/       the faces, images as they were; mask and ita are new
rejected/    with fallback = skip: faces with too little skin
overlay.png  some photos with what was found
scores.json  skin tones by class, and which faces have too little skin
tone.png     skin tones by class
"""

from __future__ import annotations

import dataclasses

import numpy as np

from anonderm.core import weights
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import ConfigError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.files import sha256_file
from anonderm.core.images import grid, write_png
from anonderm.core.launch import device
from anonderm.core.records import Face
from anonderm.core.rundir import RunDir
from anonderm.models.skin_segmenter.segment import Segmenter, load_face_parsing, load_segmenter
from anonderm.skin.config import SkinConfig
from anonderm.skin.overlay import overlay
from anonderm.skin.skin_share import LITTLE_SKIN, little_skin
from anonderm.skin.skin_tone import skin_colour
from anonderm.skin.tone_report import WARNING, draw_tones, tone_scores

_SHIPPED = "phantom-skin"
_SHOWN, _COLUMNS = 24, 8


def find_skin(config: SkinConfig, faces: FaceSet, run: RunDir, network: Checkpoint | None = None) -> FaceSet:
    """Every face gets a mask of its own size; faces with less skin than `min_skin` are counted and listed.

    Raises ConfigError (a checkpoint and weights of others at once), and what loading the weights does.
    """
    known = config.keep_masks and all(face.mask is not None for face in faces)
    segmenter = None if known else _segmenter(config, network, run)
    kept, rejected = FaceSetWriter(run.folder / "faces"), FaceSetWriter(run.folder / "rejected")
    done = kept.done | rejected.done
    for face in run.progress([face for face in faces if face.id not in done], "finding skin"):
        image_HWC = faces.image(face)
        own = segmenter is None or (config.keep_masks and face.mask is not None)
        mask_HW = faces.mask(face) if segmenter is None or own else segmenter.mask(image_HWC)
        colour = skin_colour(image_HWC, mask_HW, face.lesions)
        reason = little_skin(mask_HW, config.min_skin)
        found = dataclasses.replace(
            face, ita=None if colour is None else colour.ita, reason=reason or face.reason
        )
        writer = rejected if reason and config.fallback == "skip" else kept
        writer.add_from(faces, found, None if own else mask_HW)
    aside, found_faces = rejected.finish(), kept.finish()
    _tell(faces, found_faces, aside, run)
    return found_faces


def _segmenter(config: SkinConfig, network: Checkpoint | None, run: RunDir) -> Segmenter:
    if network is not None and config.weights is not None:
        raise ConfigError("Both a checkpoint and weights of others are given.", "Leave one of them out.")
    if config.weights is not None:
        path = weights.find(config.weights)
        segmenter = load_face_parsing(path, device())
        run.log(f"skin and nose as {path.name} finds them (sha256 {sha256_file(path)[:16]})")
    else:
        checkpoint = network or weights.load(_SHIPPED)
        segmenter = load_segmenter(checkpoint, device())
        run.log(f"skin as {checkpoint.path} finds it")
        if network is None:
            run.log(f"warning: {_SHIPPED} has learned from drawn faces only; look at overlay.png")
    return dataclasses.replace(segmenter, size=config.size or segmenter.size)


def _tell(faces: FaceSet, found: FaceSet, aside: FaceSet, run: RunDir) -> None:
    scores = tone_scores(found, {face.id: face.ita for face in faces if face.ita is not None})
    little = {face.id: face.reason for face in (*found, *aside) if _is_little(face)}
    scores.details["little_skin"] = little
    scores.save(run.folder / "scores.json")
    if little:
        what = "put aside in rejected/" if len(aside) else "kept, with the reason in the manifest"
        run.log(f"{len(little)} of {len(faces)} faces show too little skin: {what}; listed in scores.json")
    if not len(found):
        return
    draw_tones(scores, run.folder / "tone.png")
    shown = found.faces[:: -(-len(found) // _SHOWN)]
    sheet = [overlay(found.image(face), found.mask(face)) for face in shown]
    write_png(run.folder / "overlay.png", grid(np.stack(sheet), _COLUMNS))
    for name, score in scores.scores.items():
        run.log(f"{name}: {score.value:.2f} ({score.n} faces)")
    if scores.details["unmeasured"]:
        run.log(f"{scores.details['unmeasured']} faces without a skin tone: too little skin, or no colour")
    run.log(f"warning: {WARNING}")


def _is_little(face: Face) -> bool:
    return face.reason is not None and face.reason.startswith(LITTLE_SKIN)
