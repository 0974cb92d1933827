"""Settings of the stages that train the encoder and evaluate a synthetic set."""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, Lt, MinLen

from anonderm.core.config import Count, Positive, Settings, Whole
from anonderm.embeddings.extractors import ExtractorName

Samples = Annotated[int, Ge(100), Le(100_000)]
"""Bootstrap resamples; fewer give unreliable 95% intervals."""
Extractors = Annotated[tuple[ExtractorName, ...], MinLen(1)]
_SampleSize = Annotated[int, Ge(10), Le(1_000_000)]


@dataclass(frozen=True)
class EncoderConfig(Settings):
    """Train the face embedding on phantom faces."""

    steps: Count = 700
    """Training steps."""

    people: Annotated[int, Ge(2), Le(4096)] = 40
    """People in a batch; two different photos of each."""

    learning_rate: Positive = 2e-3
    """Peak learning rate, after a linear warm-up and before a cosine decay to zero."""

    save_every: Count = 100
    """Steps between saved states, from which an interrupted run resumes."""

    seed: Whole = 0
    """Fixes the initial weights, the batches and the augmentations."""


@dataclass(frozen=True)
class FidelityConfig(Settings):
    """Measure how close synthetic faces are to real ones."""

    extractors: Extractors = ("phantom-encoder",)
    """Embeddings to compare in: phantom-encoder (similar faces), thumbnail (similar pictures), and with
    third-party weights (`anonderm weights list`) inception (FID, KID) and dinov2 (FD-DINOv2)."""

    neighbours: Count = 5
    """k of the k-nearest-neighbour balls of precision, recall, density and coverage."""

    max_faces: _SampleSize = 50_000
    """Largest number of faces of a set (or of one class of it) to compare; drawn at random."""

    seed: Whole = 0
    """Fixes which faces are drawn and the groups of the jackknife."""


@dataclass(frozen=True)
class UtilityConfig(Settings):
    """Test a classifier trained on synthetic faces beside one trained on real faces, both on real faces."""

    bootstrap_samples: Samples = 1000
    """Bootstrap resamples of the people behind each interval."""

    saliency_faces: Whole = 2
    """Test faces of each class for which Grad-CAM pictures of both classifiers are made."""

    seed: Whole = 0
    """Fixes the bootstrap resamples."""


@dataclass(frozen=True)
class ClassifierScoresConfig(Settings):
    """Test a classifier on held-out faces."""

    bootstrap_samples: Samples = 1000
    """Bootstrap resamples of the people behind each interval."""

    seed: Whole = 0
    """Fixes the bootstrap resamples."""


@dataclass(frozen=True)
class SaliencyConfig(Settings):
    """Measure whether a classifier looks at the lesions, and at the skin, of faces where these are known."""

    explain: Literal["class", "severity"] = "class"
    """What Grad-CAM explains: a face's own class (or each lesion type on it), or the evidence for more severe
    classes against milder ones."""

    tolerance: Annotated[float, Ge(0), Lt(1)] = 0.03
    """Of the pointing game: how far from a box the maximum may lie, as a share of the picture's side (the 15
    pixels of Zhang et al. 2018 on pictures of 500)."""

    max_faces: Count = 500
    """Largest number of faces to explain, drawn at random."""

    sheet_faces: Whole = 6
    """Faces of each class (or lesion type) on the picture sheet."""

    bootstrap_samples: Samples = 1000
    """Bootstrap resamples of the people behind each interval."""

    seed: Whole = 0
    """Fixes which faces are drawn and the bootstrap resamples."""


@dataclass(frozen=True)
class RealismConfig(Settings):
    """Test whether synthetic faces can be told from real ones."""

    detector: str | None = None
    """Weights of the detector of manipulated faces by Bonettini et al. (EfficientNet-B4): a file, or a name
    that `anonderm weights list` shows. Without it, only the two-sample tests are run."""

    extractors: tuple[ExtractorName, ...] = ("phantom-encoder",)
    """Embeddings in which logistic regression separates the sets, beside a small CNN on the pixels."""

    folds: Annotated[int, Ge(2), Le(100)] = 5
    """Folds of the cross-validation, split by person."""

    epochs: Count = 12
    """Training epochs of the CNN."""

    max_faces: _SampleSize = 1000
    """Largest number of faces of a set to compare; drawn at random."""

    bootstrap_samples: Samples = 1000
    """Bootstrap resamples of the people behind each interval."""

    seed: Whole = 0
    """Fixes which faces are drawn, the folds, the CNN and the resamples."""


@dataclass(frozen=True)
class DetectorScoresConfig(Settings):
    """Test a lesion detector on test faces whose boxes are known."""

    bootstrap_samples: Samples = 1000
    """Bootstrap resamples of the people behind each interval."""

    shown: Whole = 3
    """Test faces of each class that are drawn with their true and detected boxes."""

    seed: Whole = 0
    """Fixes the bootstrap resamples."""


@dataclass(frozen=True)
class LesionFidelityConfig(Settings):
    """Compare number, size and place of the lesions on synthetic faces with those on real ones."""

    max_faces: _SampleSize = 500
    """Largest number of faces of a set to search; drawn at random."""

    shown: Whole = 4
    """Faces of each class and set that are drawn with the boxes detected on them."""

    seed: Whole = 0
    """Fixes which faces are drawn and the groups of the jackknife."""
