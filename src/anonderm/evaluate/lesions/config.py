"""Settings of the stages that evaluate a lesion detector and compare lesions. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge

from anonderm.core.config import Settings, Whole


@dataclass(frozen=True)
class DetectorScoresConfig(Settings):
    """Test a lesion detector on test faces whose boxes are known."""

    bootstrap_samples: Annotated[int, Ge(100)] = 1000
    """Bootstrap resamples of the people behind each interval."""

    shown: Whole = 3
    """Test faces of each class that are drawn with their true and detected boxes."""

    seed: Whole = 0
    """Fixes the bootstrap resamples."""


@dataclass(frozen=True)
class LesionFidelityConfig(Settings):
    """Compare number, size and place of the lesions on synthetic faces with those on real ones."""

    max_faces: Annotated[int, Ge(10)] = 500
    """Largest number of faces of a set to search; drawn at random."""

    shown: Whole = 4
    """Faces of each class and set that are drawn with the boxes detected on them."""

    seed: Whole = 0
    """Fixes which faces are drawn and the groups of the jackknife."""
