"""detect-lesions: faces -> the same faces with detected lesions."""

import dataclasses

from anonderm.classify.lesions.config import DetectLesionsConfig
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.launch import device
from anonderm.core.rundir import RunDir
from anonderm.models.lesion_detector.predict import load_detector


def detect_lesions(config: DetectLesionsConfig, faces: FaceSet, detector: Checkpoint, run: RunDir) -> FaceSet:
    """Write `faces/` with detected lesions in place of any that were known; images are linked.

    An interrupted run continues with the faces that are missing. Raises BrokenArtefact.
    """
    loaded = load_detector(detector, device())
    if config.threshold is not None:
        loaded = dataclasses.replace(loaded, thresholds=dict.fromkeys(loaded.kinds, config.threshold))
    writer = FaceSetWriter(run.folder / "faces")
    missing = [face for face in faces if face.id not in writer.done]
    for face in run.progress(missing, "detecting lesions"):
        lesions = loaded.above_threshold(loaded.detect(faces.image(face)))
        types = tuple(kind for kind in loaded.kinds if any(each.kind == kind for each in lesions))
        writer.add_from(faces, dataclasses.replace(face, lesions=lesions, lesion_types=types))
    with_boxes = writer.finish()
    total = sum(len(face.boxes) for face in with_boxes)
    run.log(f"{total} lesions on {len(with_boxes)} faces")
    return with_boxes
