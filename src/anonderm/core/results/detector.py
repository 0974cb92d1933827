"""What `evaluate detector` measures: a lesion detector against true boxes."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.results.base import Headline, Result, Score


@dataclass(frozen=True, slots=True)
class CountScores:
    """Lesions counted on a face. error: mean absolute error; bias: mean of counted minus true; lesions: the
    true mean, to compare them with."""

    error: Score
    bias: Score
    lesions: Score


@dataclass(frozen=True, slots=True)
class KindScores:
    """Of one kind of lesion. ap50: average precision at an overlap (IoU) of 0.5; None where it has no box."""

    ap50: Score | None
    count: CountScores


@dataclass(frozen=True, slots=True)
class FaceCount:
    """Lesions on one test face: true, and counted by the detector."""

    id: str
    label: str | None
    true: int
    counted: int


@dataclass(frozen=True, slots=True)
class BoxPictures:
    """A test face with its true boxes, and with those found: files of the run folder."""

    label: str | None
    true: str
    found: str


@dataclass(frozen=True)
class DetectorResult(Result):
    """map50: mean average precision over the kinds at IoU 0.5; map50_95: over IoU 0.5 to 0.95."""

    kind = "detector"

    n_people: int
    map50: Score | None
    map50_95: Score | None
    count: CountScores
    kinds: dict[str, KindScores]
    faces: tuple[FaceCount, ...]
    pictures: tuple[BoxPictures, ...]
    warnings: tuple[str, ...]

    def headline(self) -> tuple[Headline, ...]:
        return (
            (Headline("mAP50 of the lesion detector on real test photos", self.map50),) if self.map50 else ()
        )
