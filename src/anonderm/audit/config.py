"""Settings of the privacy audit."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.config import check
from anonderm.evaluate.features import ExtractorName


@dataclass(frozen=True)
class AuditConfig:
    """Look for training faces among synthetic ones, against people who were kept out of training."""

    extractors: tuple[ExtractorName, ...] = ("thumbnail", "phantom-encoder")
    """Embeddings to search in: thumbnail (the same picture), phantom-encoder (a similar face)."""

    plants: int = 40
    """Training faces of which copies, plain and changed, are planted to see whether the audit finds them."""

    pairs: int = 8
    """Closest pairs of a synthetic and a training face to save as pictures, for each extractor."""

    seed: int = 0
    """Fixes which training faces are planted and how the intervals are drawn."""

    def __post_init__(self) -> None:
        check(len(self.extractors) >= 1, "extractors: name at least one.")
        check(self.plants >= 1, f"plants = {self.plants}: must be at least 1.")
        check(self.pairs >= 0, f"pairs = {self.pairs}: must be 0 or more.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")
