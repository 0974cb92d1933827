"""What `evaluate fidelity` and `evaluate realism` measure: how alike synthetic and real faces are."""

from dataclasses import dataclass
from typing import Literal

from anonderm.core.results.base import LeftOut, Result, Score


@dataclass(frozen=True, slots=True)
class SetDistances:
    """A set of faces compared with the real test faces. A score is None where there are too few images.

    kernel: squared maximum mean discrepancy, unbiased (KID, over Inception features); rbf: the same with a
    Gaussian kernel. frechet: squared Frechet distance, biased upwards in small sets (FID, over Inception
    features). frechet_infinity: extrapolated to infinitely many images.
    """

    kernel: Score | None
    rbf: Score | None
    precision: Score | None
    recall: Score | None
    density: Score | None
    coverage: Score | None
    frechet: Score | None
    frechet_infinity: Score | None


@dataclass(frozen=True, slots=True)
class PartDistances:
    """All faces, or those of one class.

    reference: real test faces; compared: synthetic faces, and as many real training faces. baseline: the real
    training faces in place of the synthetic ones, or what another sample of real people scores.
    """

    reference: int
    compared: int
    synthetic: SetDistances
    baseline: SetDistances


@dataclass(frozen=True, slots=True)
class Point:
    """A face on the two principal axes."""

    set: Literal["real", "synthetic"]
    label: str | None
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Projection:
    """Both sets on the first principal axes of the real test faces; `explained`: shares of the variance."""

    explained: tuple[float, ...]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class ExtractorDistances:
    """In one embedding. `names`: what the literature calls a measure over this embedding, such as FID.

    parts: `all`, and each class that both sets have.
    """

    names: dict[str, str]
    parts: dict[str, PartDistances]
    projection: Projection


@dataclass(frozen=True)
class FidelityResult(Result):
    """By extractor, in the order in which they were asked for."""

    kind = "fidelity"

    extractors: dict[str, ExtractorDistances]
    left_out: tuple[LeftOut, ...]

    def headline(self) -> dict[str, Score | None]:
        name, first = next(iter(self.extractors.items()))
        whole, measure = first.parts["all"], first.names.get("kernel", "kernel distance")
        return {
            f"{measure} between synthetic faces and real test photos ({name})": whole.synthetic.kernel,
            f"{measure} between other real photos and real test photos (baseline)": whole.baseline.kernel,
        }


CNN = "cnn"
"""The two-sample test by a small CNN trained from scratch; the others are named for their embedding."""


@dataclass(frozen=True, slots=True)
class Example:
    """A synthetic face (`file` in the run folder) and its predicted probability of being synthetic."""

    file: str
    label: str | None
    probability: float


@dataclass(frozen=True, slots=True)
class TwoSampleTest:
    """A classifier two-sample test, scored out of fold; an AUC of 0.5 means that the sets look alike.

    auc_non_members: over real faces outside the train split only; None where that is none or all of them.
    auc_baseline: between two halves of the real people; None where they are too few.
    real, synthetic: each face's probability of being synthetic.
    """

    auc: Score
    auc_non_members: Score | None
    auc_baseline: Score | None
    real: tuple[float, ...]
    synthetic: tuple[float, ...]
    most_detected: tuple[Example, ...]
    least_detected: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class ManipulationDetection:
    """A published detector of manipulated faces. real, synthetic: shares that it calls manipulated.

    real_counts, synthetic_counts: faces by its output, in the bins that `edges` bound (AcneGAN, Table 6).
    """

    variant: str
    auc: Score
    real: Score
    synthetic: Score
    edges: tuple[float, ...]
    real_counts: tuple[int, ...]
    synthetic_counts: tuple[int, ...]


@dataclass(frozen=True)
class RealismResult(Result):
    """compared: faces of each set, by class."""

    kind = "realism"

    compared: dict[str, int]
    tests: dict[str, TwoSampleTest]
    detector: ManipulationDetection | None

    def headline(self) -> dict[str, Score | None]:
        test = self.tests[CNN]
        return {
            "AUC of a CNN that separates synthetic from real faces (0.5: it cannot)": test.auc,
            "AUC of one that separates two halves of the real people (baseline)": test.auc_baseline,
        }
