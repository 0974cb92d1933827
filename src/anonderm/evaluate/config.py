"""Settings of the stages that train the encoder and score a synthetic set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anonderm.core.config import check
from anonderm.embeddings.extractors import ExtractorName


@dataclass(frozen=True)
class EncoderConfig:
    """Train the face embedding on phantom faces."""

    steps: int = 700
    """Training steps."""

    people: int = 40
    """People of a batch; two different photos of each."""

    learning_rate: float = 2e-3
    """Highest learning rate; it warms up, then falls along a half cosine to zero."""

    save_every: int = 100
    """Steps between saved states, from which a run that was cut short goes on."""

    seed: int = 0
    """Fixes the start weights, the batches and the augmentations."""

    def __post_init__(self) -> None:
        check(self.steps >= 1, f"steps = {self.steps}: must be at least 1.")
        check(self.people >= 2, f"people = {self.people}: must be at least 2.")
        check(self.learning_rate > 0, f"learning_rate = {self.learning_rate}: must be above 0.")
        check(self.save_every >= 1, f"save_every = {self.save_every}: must be at least 1.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")


@dataclass(frozen=True)
class FidelityConfig:
    """Measure how close synthetic faces are to real ones."""

    extractors: tuple[ExtractorName, ...] = ("phantom-encoder",)
    """Embeddings to compare in: phantom-encoder (a similar face), thumbnail (the same picture), and with
    published weights (`anonderm weights list`) inception (FID, KID) and dinov2 (FD)."""

    neighbours: int = 5
    """Neighbours that set the radius of a ball in precision, recall, density and coverage."""

    max_faces: int = 50_000
    """Most faces of a set (or of one class of it) that enter a comparison; drawn at random."""

    seed: int = 0
    """Fixes which faces are drawn and how the groups of the intervals are dealt."""

    def __post_init__(self) -> None:
        check(len(self.extractors) >= 1, "extractors: name at least one.")
        check(self.neighbours >= 1, f"neighbours = {self.neighbours}: must be at least 1.")
        check(self.max_faces >= 10, f"max_faces = {self.max_faces}: must be at least 10.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")


@dataclass(frozen=True)
class UtilityConfig:
    """Test, on real faces, a classifier trained on synthetic faces beside one trained on real ones."""

    bootstrap_samples: int = 1000
    """Bootstrap resamples of the people behind each interval."""

    saliency_faces: int = 2
    """Test faces of each class for which Grad-CAM pictures of both classifiers are made."""

    seed: int = 0
    """Fixes the bootstrap resamples."""

    def __post_init__(self) -> None:
        check(
            self.bootstrap_samples >= 100,
            f"bootstrap_samples = {self.bootstrap_samples}: must be at least 100.",
        )
        check(self.saliency_faces >= 0, f"saliency_faces = {self.saliency_faces}: must be 0 or more.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")


@dataclass(frozen=True)
class ClassifierScoresConfig:
    """Test a classifier on faces that it did not learn from."""

    bootstrap_samples: int = 1000
    """Bootstrap resamples of the people behind each interval."""

    seed: int = 0
    """Fixes the bootstrap resamples."""

    def __post_init__(self) -> None:
        check(
            self.bootstrap_samples >= 100,
            f"bootstrap_samples = {self.bootstrap_samples}: must be at least 100.",
        )
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")


@dataclass(frozen=True)
class SaliencyConfig:
    """Measure whether a classifier looks at the lesions, and at the skin, of faces where these are known."""

    explain: Literal["class", "severity"] = "class"
    """What Grad-CAM explains: a face's own class (or each lesion type on it), or what speaks for worse
    classes against milder ones."""

    tolerance: float = 0.03
    """The pointing game: how far from a box the hottest point may lie, as a share of the picture's side (the
    15 pixels of Zhang et al. 2018 on pictures of 500)."""

    max_faces: int = 500
    """Most faces to explain, drawn at random."""

    sheet_faces: int = 6
    """Faces of each class (or lesion type) on the picture sheet."""

    bootstrap_samples: int = 1000
    """Bootstrap resamples of the people behind each interval."""

    seed: int = 0
    """Fixes which faces are drawn and the bootstrap resamples."""

    def __post_init__(self) -> None:
        check(0 <= self.tolerance < 1, f"tolerance = {self.tolerance}: must be in [0, 1).")
        check(self.max_faces >= 1, f"max_faces = {self.max_faces}: must be 1 or more.")
        check(self.sheet_faces >= 0, f"sheet_faces = {self.sheet_faces}: must be 0 or more.")
        check(
            self.bootstrap_samples >= 100,
            f"bootstrap_samples = {self.bootstrap_samples}: must be at least 100.",
        )
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")


@dataclass(frozen=True)
class RealismConfig:
    """Test whether synthetic faces can be told from real ones."""

    detector: str | None = None
    """Weights of the detector of manipulated faces by Bonettini et al. (EfficientNet-B4): a file, or a name
    that `anonderm weights list` shows. Without it, only the two-sample tests are made, which need none."""

    extractors: tuple[ExtractorName, ...] = ("phantom-encoder",)
    """Embeddings in which a linear classifier is taught to tell both sets apart, beside a small CNN."""

    folds: int = 5
    """Parts in which the people are dealt; each is scored by a classifier taught on the others."""

    epochs: int = 12
    """How often the CNN sees every face."""

    max_faces: int = 1000
    """Most faces of a set that are compared; drawn at random."""

    bootstrap_samples: int = 1000
    """Bootstrap resamples of the people behind each interval."""

    seed: int = 0
    """Fixes which faces are drawn, the folds, the CNN and the resamples."""

    def __post_init__(self) -> None:
        check(self.folds >= 2, f"folds = {self.folds}: must be at least 2.")
        check(self.epochs >= 1, f"epochs = {self.epochs}: must be at least 1.")
        check(self.max_faces >= 10, f"max_faces = {self.max_faces}: must be at least 10.")
        check(
            self.bootstrap_samples >= 100,
            f"bootstrap_samples = {self.bootstrap_samples}: must be at least 100.",
        )
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")
