"""Settings of screening and grading."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from anonderm.core.config import Count, NonNegative, Settings, Share, Whole, check, check_bounds
from anonderm.embeddings.matchers.matcher import MatcherName, check_matchers

Quantile = Annotated[float, Gt(0.5), Le(1)]


@dataclass(frozen=True)
class ScreenConfig:
    """Reject artefacts, deformed faces, duplicates and near-copies of training faces.

    Every limit is measured on the training faces; the settings define how far beyond it a synthetic face may
    be. With --privacy, faces that match a training subject are rejected too.
    """

    pca_components: Count = 100
    """Principal components of the face space, from which a deformed face is far."""

    deformed_quantile: Quantile = 0.995
    """Limit of the distance from the face space: this quantile of held-out training people."""

    deformed_factor: NonNegative = 1.05
    """A face is deformed beyond this many times the limit of the distance from the face space."""

    artefact_quantile: Quantile = 0.995
    """Upper limit of an image statistic (sharpness, border, ...): this quantile of the training faces; the
    lower limit is its complement."""

    artefact_margin: NonNegative = 0.5
    """The range between the limits of an image statistic is widened on each side by this share of itself."""

    copy_quantile: Annotated[float, Ge(0), Lt(0.5)] = 0.005
    """A face is a near-copy if it is nearer to a training face than all but this share of the training faces
    are to another person."""

    duplicate_factor: NonNegative = 0.5
    """Two synthetic faces are duplicates below this many times the distance of a near-copy."""

    privacy: bool = False
    """Also reject faces that a matcher takes for a training subject. `anonderm audit-screen` audits the faces
    before and after: some results of an audit of selected faces hold by construction."""

    matchers: tuple[MatcherName, ...] = ("dlib", "sface", "copy", "encoder")
    """Matchers used by --privacy: any of dlib, sface, arcface, copy, encoder, as in the audit. A matcher that
    is uninformative on these photos rejects nothing. One left out here can check the screen independently."""

    fmr: Annotated[float, Gt(0), Le(0.01)] = 0.001
    """False match rate of --privacy: the share of impostor pairs that a matcher takes for one person. Each
    face is compared with all training faces, so with 1,000 of them even 0.1% rejects more than half of the
    innocent faces; lower it then. The log reports what the rate costs."""

    def __post_init__(self) -> None:
        check_bounds(self)
        check_matchers(self.matchers)


@dataclass(frozen=True)
class GradeConfig(Settings):
    """Label each face with the class that a classifier predicts; reject ambiguous faces."""

    min_confidence: Share = 0.5
    """Faces whose most probable class has a lower probability are rejected."""

    match_labels: bool = False
    """Weight the classes so that they are as frequent as the labels the faces were generated for: a
    classifier trained on photos tends to grade the softer lesions of synthetic faces as milder."""

    min_per_class: Whole = 10
    """Fewest faces that each class must get: enough to train a generator for each class on."""

    max_per_class: Count | None = None
    """Most faces that a class keeps, for a balanced set; the others are rejected. Unset: all."""

    def __post_init__(self) -> None:
        check_bounds(self)
        most = self.max_per_class
        check(
            most is None or most >= self.min_per_class,
            f"max_per_class = {most}: must be at least min_per_class = {self.min_per_class}.",
            "Raise --max-per-class or lower --min-per-class.",
        )
