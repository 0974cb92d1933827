"""Photos that `align` crops per second of processor time, and the error of its landmarks.

--photos FOLDER   photos of faces
--marked FOLDER   optional: JPEG photos with hand-placed landmarks of the FRL template (NAME.landmarks.csv,
                  189 rows x, y), as in the Face Research Lab London Set (DeBruine & Jones 2017)
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import results

from anonderm.core.faceset import pictures
from anonderm.core.images import read_image
from anonderm.ingest.align.cutter import Cutter, Task
from anonderm.ingest.align.landmarks import landmarker
from anonderm.ingest.config import AlignConfig

# Rows of the FRL template: pupils, corners of the eyes, corners and lids, corners of the mouth.
_PUPILS = ((0,), (1,))
_CORNERS = ((18, 22), (23, 27))
_OUTLINES = ((18, 22, 19, 21, 30, 28), (23, 27, 24, 26, 33, 31))
_MOUTH = (87, 93)


def speed(folder: Path, size: int) -> dict[str, Any]:
    """Reading, detection, cropping and encoding, in one process."""
    photos = pictures(folder)
    cutter = Cutter(AlignConfig(size=size))
    cutter(Task(folder, photos.faces[0]))  # loads the models
    start, aligned = time.process_time(), 0
    for face in photos:
        aligned += not cutter(Task(folder, face)).reason
    seconds = time.process_time() - start
    sides = sorted(max(photos.image(face).shape) for face in photos)
    return {
        "photos": len(photos),
        "longest_side_px_median": sides[len(sides) // 2],
        "output_px": size,
        "aligned": aligned,
        "photos_per_s_a_core": round(len(photos) / seconds, 1),
    }


def accuracy(folder: Path) -> dict[str, Any]:
    """Distances to the hand-placed points, as shares of the distance between the pupils."""
    find = landmarker("dlib")
    errors: dict[str, list[float]] = {"eye_outline": [], "eye_corners": [], "pupil": [], "mouth": []}
    for file in sorted(folder.glob("*.landmarks.csv")):
        marked_N2 = np.loadtxt(file, delimiter=",", skiprows=1)
        photo = file.with_name(file.name.replace(".landmarks.csv", ".jpg"))
        points = find(read_image(photo))[0]
        pupil_distance = np.linalg.norm(marked_N2[0] - marked_N2[1])
        for name, eyes in (("eye_outline", _OUTLINES), ("eye_corners", _CORNERS), ("pupil", _PUPILS)):
            for found_2, rows in zip((points.left_eye, points.right_eye), eyes, strict=True):
                true_2 = marked_N2[list(rows)].mean(axis=0)
                errors[name].append(float(np.linalg.norm(true_2 - found_2) / pupil_distance))
        mouth_2 = marked_N2[list(_MOUTH)].mean(axis=0)
        errors["mouth"].append(float(np.linalg.norm(mouth_2 - points.mouth) / pupil_distance))
    return {
        name: {"median": round(float(np.median(each)), 4), "p90": round(float(np.quantile(each, 0.9)), 4)}
        for name, each in errors.items()
    }


if __name__ == "__main__":
    parser = results.argument_parser(__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--marked", type=Path)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    numbers = speed(options.photos, options.size)
    if options.marked:
        numbers["error_in_eye_distances"] = accuracy(options.marked)
    results.write("align_speed", numbers)
