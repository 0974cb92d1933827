"""Settings of `align`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge

from anonderm.core.config import Settings, check, check_bounds


@dataclass(frozen=True)
class AlignConfig(Settings):
    """Cut the faces out of whole photos, all in the framing of FFHQ."""

    size: Annotated[int, Ge(8)] = 256
    """Side of the stored faces, in pixels."""

    several: Literal["largest", "all"] = "largest"
    """Which faces to take from a photo that shows several. With all, the smaller faces count as unknown
    people in the split of their photo."""

    fallback: Literal["center", "skip", "keep"] = "center"
    """What to do with a photo in which no face can be aligned, such as a profile or a close-up of lesions:
    cut out its largest centred square (center), leave it out (skip), or keep all of it, padded to a square
    with mirrored and blurred bars (keep)."""

    points: Path | None = None
    """CSV or JSON file of landmarks marked by hand, used instead of detected ones; the points.csv of an
    earlier run has this form. Columns: photo (id or file), left_eye_x, left_eye_y, and likewise right_eye,
    mouth_left and mouth_right, in pixels of the photo as displayed; left is the left side of the upright
    picture."""

    model: Path | None = None
    """Another landmark model: a dlib shape predictor with 5 or 68 points (.dat; commercial use of the
    published 68-point weights is not permitted) or an ONNX network (.onnx, see docs/photos.md). Default:
    dlib's 5 points."""

    def __post_init__(self) -> None:
        check_bounds(self)
        suffixes = {"points": (self.points, (".csv", ".json")), "model": (self.model, (".dat", ".onnx"))}
        for name, (path, known) in suffixes.items():
            ending = path.suffix.lower() if path else known[0]
            check(ending in known, f"{name} = {path}: must end in {' or '.join(known)}.")
