"""Running a lesion detector over faces, and drawing its detections."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, write_png
from anonderm.core.records import Lesion
from anonderm.core.rundir import RunDir
from anonderm.metrics.average_precision import Detection
from anonderm.models.lesion_detector.kinds import ANY_KIND, with_known_boxes
from anonderm.models.lesion_detector.predict import Detector

_COLOURS = ("#19d3f3", "#5bd75b", "#ffd92f", "#ff5bd7", "#ff9f40", "#b48cff")
_SHOWN_PX = 512


def detect_all(detector: Detector, faces: FaceSet, run: RunDir, what: str) -> list[list[Detection]]:
    """Every detection on each face, whatever its score."""
    return [detector.detect(faces.image(face)) for face in run.progress(faces.faces, what)]


def faces_with_boxes(faces: FaceSet, detector: Detector) -> FaceSet:
    """The faces whose boxes are known; all boxes are of one kind if the detector has only one."""
    return with_known_boxes(faces, class_agnostic=detector.kinds == (ANY_KIND,))


def draw_boxes(path: Path, image_HWC: Pixels, lesions: Iterable[Lesion], kinds: tuple[str, ...]) -> None:
    """Write the face, at least 512 px high, with a box around each lesion, coloured by kind."""
    times = max(1, -(-_SHOWN_PX // image_HWC.shape[0]))
    height, width = image_HWC.shape[:2]
    canvas = Image.fromarray(image_HWC).resize((width * times, height * times), Image.Resampling.LANCZOS)
    pen = ImageDraw.Draw(canvas)
    for lesion in lesions:
        colour = _COLOURS[kinds.index(lesion.kind) % len(_COLOURS)] if lesion.kind in kinds else "#ffffff"
        pen.rectangle([times * side for side in (lesion.x0, lesion.y0, lesion.x1, lesion.y1)], outline=colour)
    write_png(path, np.asarray(canvas))
