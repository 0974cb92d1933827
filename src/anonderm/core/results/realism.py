"""What `evaluate realism` measures: how well synthetic faces can be told from real ones."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.results.base import Headline, Result, Score

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

    def headline(self) -> tuple[Headline, ...]:
        test = self.tests[CNN]
        lines = (
            ("AUC of a CNN that separates synthetic from real faces (0.5: it cannot)", test.auc),
            ("AUC of one that separates two halves of the real people (baseline)", test.auc_baseline),
        )
        return tuple(Headline(label, score) for label, score in lines if score is not None)
