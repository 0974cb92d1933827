"""What `evaluate fidelity` measures: distances between sets of faces in an embedding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anonderm.core.results.base import Headline, LeftOut, Result, Score


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

    def headline(self) -> tuple[Headline, ...]:
        name, first = next(iter(self.extractors.items()))
        whole, measure = first.parts["all"], first.names.get("kernel", "kernel distance")
        lines = (
            (f"{measure} between synthetic faces and real test photos ({name})", whole.synthetic.kernel),
            (f"{measure} between other real photos and real test photos (baseline)", whole.baseline.kernel),
        )
        return tuple(Headline(label, score) for label, score in lines if score is not None)
