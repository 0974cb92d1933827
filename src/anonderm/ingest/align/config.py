"""Settings of the align stage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anonderm.core.config import check


@dataclass(frozen=True)
class AlignConfig:
    """Cut the faces out of whole photos, all in the framing of FFHQ."""

    size: int = 256
    """Side of the pictures, in pixels."""

    several: Literal["largest", "all"] = "largest"
    """Which faces of a photo with several to take. All: the others count as people nobody knows, in the split
    of their photo."""

    fallback: Literal["center", "skip", "keep"] = "center"
    """What to do with a photo without a face to align, such as a profile or a close-up of lesions: cut its
    largest centred square, leave it out, or keep all of it, made square by mirrored and blurred bars."""

    points: Path | None = None
    """CSV or JSON file of points set by hand, used instead of those found; points.csv of an earlier run has
    its form. Columns: photo (id or file), left_eye_x, left_eye_y, and so on for right_eye, mouth_left,
    mouth_right, in pixels of the photo as displayed; left is the left side of the upright face's picture."""

    model: Path | None = None
    """Another finder of points: a dlib shape predictor of 5 or 68 points (.dat; the published 68-point
    weights are not for commercial use) or an ONNX network (.onnx, see docs/photos.md). Without it, dlib's 5
    points."""

    def __post_init__(self) -> None:
        check(self.size >= 8, f"size = {self.size}: at least 8 pixels are needed.")
        suffixes = {"points": (self.points, (".csv", ".json")), "model": (self.model, (".dat", ".onnx"))}
        for name, (path, known) in suffixes.items():
            ending = path.suffix.lower() if path else known[0]
            check(ending in known, f"{name} = {path}: must end in {' or '.join(known)}.")
