"""Settings of the stages that score a lesion detector and compare lesions. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.config import check


@dataclass(frozen=True)
class DetectorScoresConfig:
    """Score a lesion detector on the test faces, whose boxes are known."""

    bootstrap_samples: int = 1000
    """Bootstrap resamples of the people behind each interval."""

    shown: int = 3
    """Test faces of each class that are drawn with their true and found boxes."""

    seed: int = 0
    """Fixes the bootstrap resamples."""

    def __post_init__(self) -> None:
        check(
            self.bootstrap_samples >= 100,
            f"bootstrap_samples = {self.bootstrap_samples}: must be at least 100.",
        )
        check(self.shown >= 0, f"shown = {self.shown}: must be 0 or more.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")


@dataclass(frozen=True)
class LesionFidelityConfig:
    """Compare number, size and place of the lesions on synthetic faces with those on real ones."""

    max_faces: int = 500
    """Most faces of a set that are searched; drawn at random, as many of each class as its share."""

    shown: int = 4
    """Faces of each class and set that are drawn with the boxes found on them."""

    seed: int = 0
    """Fixes which faces are drawn and how the groups of the intervals are dealt."""

    def __post_init__(self) -> None:
        check(self.max_faces >= 10, f"max_faces = {self.max_faces}: must be at least 10.")
        check(self.shown >= 0, f"shown = {self.shown}: must be 0 or more.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")
