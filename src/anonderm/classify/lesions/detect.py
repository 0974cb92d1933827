"""detect-lesions: faces -> the same faces with the boxes that a detector finds on them."""

from __future__ import annotations

import dataclasses

from anonderm.classify.lesions.config import DetectLesionsConfig
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.launch import device
from anonderm.core.rundir import RunDir
from anonderm.models.lesion_detector.predict import load_detector


def detect_lesions(config: DetectLesionsConfig, faces: FaceSet, detector: Checkpoint, run: RunDir) -> FaceSet:
    """Write `faces/` with the found lesions in place of any that were known; images are linked.

    A run that was cut short goes on with the faces it lacks. Raises BrokenArtefact.
    """
    finder = load_detector(detector, device())
    writer = FaceSetWriter(run.folder / "faces")
    missing = [face for face in faces if face.id not in writer.done]
    for face in run.progress(missing, "finding lesions"):
        found = finder.find(faces.image(face))
        if config.threshold is None:
            lesions = finder.counted(found)
        else:
            lesions = tuple(each.lesion for each in found if each.score >= config.threshold)
        types = tuple(kind for kind in finder.kinds if any(each.kind == kind for each in lesions))
        writer.add_from(faces, dataclasses.replace(face, lesions=lesions, lesion_types=types))
    with_boxes = writer.finish()
    total = sum(len(face.lesions) for face in with_boxes)
    run.log(f"{total} lesions on {len(with_boxes)} faces")
    return with_boxes
