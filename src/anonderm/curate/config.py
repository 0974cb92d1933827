"""Settings of the stages that sort faces."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.config import check
from anonderm.embeddings.matchers.names import MatcherName

_HIGHEST_FMR = 0.01


@dataclass(frozen=True)
class ScreenConfig:
    """Reject artefacts, deformed faces, duplicates and near-copies of training faces.

    Every limit is measured on the training faces themselves; the settings say how far beyond them a
    synthetic face may lie. With --privacy, faces that match a training subject are rejected too.
    """

    pca_components: int = 100
    """Directions of the face space; a deformed face lies far from the space of the training faces."""

    deformed_quantile: float = 0.995
    """Share of unseen training people within the limit of that distance."""

    deformed_factor: float = 1.05
    """How many times that distance a synthetic face may have."""

    artefact_quantile: float = 0.995
    """Share of the training faces within the limit of an image statistic (sharpness, border, ...)."""

    artefact_margin: float = 0.5
    """The range between such limits is widened on each side by this share of itself."""

    copy_quantile: float = 0.005
    """Share of the training faces that lie closer to another person than a near-copy to its original."""

    duplicate_factor: float = 0.5
    """Two synthetic faces are duplicates below this many times the distance of a near-copy."""

    privacy: bool = False
    """Also reject faces that a matcher takes for a training subject. `anonderm audit-screen` audits the faces
    before and after: some results of an audit of selected faces hold by construction."""

    matchers: tuple[MatcherName, ...] = ("dlib", "copy", "encoder")
    """Matchers used by --privacy: any of dlib, arcface, copy, encoder, as in the audit. A matcher that is
    uninformative on these photos rejects nothing. One left out here can check the screen independently."""

    fmr: float = 0.001
    """False match rate of --privacy: the share of impostor pairs that a matcher takes for one person. Each
    face is compared with all training faces, so with 1,000 of them even 0.1% rejects half of the innocent
    faces; lower it then. The log reports what the rate costs."""

    def __post_init__(self) -> None:
        check(len(self.matchers) >= 1, "matchers: name at least one.")
        check(len(set(self.matchers)) == len(self.matchers), "matchers: one is named twice.")
        check(0 < self.fmr <= _HIGHEST_FMR, f"fmr = {self.fmr}: must be above 0 and at most {_HIGHEST_FMR}.")
        check(self.pca_components >= 1, f"pca_components = {self.pca_components}: must be 1 or more.")
        for name in ("deformed_quantile", "artefact_quantile"):
            check(0.5 < getattr(self, name) <= 1, f"{name} = {getattr(self, name)}: must lie in (0.5, 1].")
        check(0 <= self.copy_quantile < 0.5, f"copy_quantile = {self.copy_quantile}: must lie in [0, 0.5).")
        for name in ("deformed_factor", "artefact_margin", "duplicate_factor"):
            check(getattr(self, name) >= 0, f"{name} = {getattr(self, name)}: must not be negative.")


@dataclass(frozen=True)
class GradeConfig:
    """Give each face the class that a classifier sees in it; put the doubtful aside."""

    min_confidence: float = 0.5
    """Faces whose most probable class is less probable than this are put aside."""

    match_labels: bool = False
    """Weigh the classes so that they come out as frequent as the labels for which the faces were generated: a
    classifier trained on photos takes the softer lesions of synthetic faces for milder ones."""

    min_per_class: int = 10
    """Fewest faces that each class must get; a generator for each class is to be trained on them."""

    max_per_class: int | None = None
    """Most faces that a class keeps, for a balanced set; the rest are put aside. Unset: all."""

    def __post_init__(self) -> None:
        check(0 <= self.min_confidence <= 1, f"min_confidence = {self.min_confidence}: must lie in [0, 1].")
        check(self.min_per_class >= 0, f"min_per_class = {self.min_per_class}: must not be negative.")
        most = self.max_per_class
        check(
            most is None or most >= max(1, self.min_per_class),
            f"max_per_class = {most}: must be at least min_per_class = {self.min_per_class}, and 1.",
        )
