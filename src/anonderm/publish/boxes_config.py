"""Settings of the export of lesion boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anonderm.core.config import check

BoxFormat = Literal["yolo", "coco"]


@dataclass(frozen=True)
class ExportBoxesConfig:
    """Faces with lesion boxes, in the forms that detectors of others are trained from."""

    formats: tuple[BoxFormat, ...] = ("yolo", "coco")
    """yolo: a text file a face and data.yaml; coco: one JSON file a split."""

    def __post_init__(self) -> None:
        check(len(self.formats) > 0, "formats is empty.", "Choose from: yolo, coco.")
        check(len(set(self.formats)) == len(self.formats), f"formats = {self.formats}: named twice.")
