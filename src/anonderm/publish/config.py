"""Settings of the report."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from anonderm.core.config import Settings, Whole, check, check_bounds


@dataclass(frozen=True)
class ReportConfig(Settings):
    """One HTML file about the photos and the synthetic faces: their quality, utility and privacy."""

    title: str = "Synthetic face data set"
    """Heading of the report."""
    show_real: bool = True
    """Show real photos beside synthetic ones; turn it off for a copy to pass on."""
    faces_per_class: Annotated[int, Ge(1), Le(60)] = 16
    """Faces of each class to show, real and synthetic alike."""
    seed: Whole = 0
    """Chooses which faces are shown."""

    def __post_init__(self) -> None:
        check_bounds(self)
        check(bool(self.title.strip()), "title: must not be empty.", "Give a title, or leave it out.")
