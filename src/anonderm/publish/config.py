"""Settings of the report."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.config import check


@dataclass(frozen=True)
class ReportConfig:
    """One HTML file that shows what went in, what came out, and how good and how private it is."""

    title: str = "Synthetic face data set"
    """Heading of the report."""
    show_real: bool = True
    """Show real photos beside synthetic ones; turn it off for a copy that others may see."""
    faces_per_class: int = 16
    """Faces shown of each class, real and synthetic alike."""
    seed: int = 0
    """Chooses which faces are shown."""

    def __post_init__(self) -> None:
        check(bool(self.title.strip()), "title: must not be empty.")
        check(1 <= self.faces_per_class <= 60, "faces_per_class: must be from 1 to 60.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")
