"""What `evaluate detector` and `evaluate lesions` measure."""

from dataclasses import dataclass
from typing import Literal

from anonderm.core.results.base import Result, Score


@dataclass(frozen=True, slots=True)
class CountScores:
    """Lesions counted on a face: mean absolute error; bias, the mean of counted minus true; true mean."""

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

    def headline(self) -> dict[str, Score | None]:
        return {"mAP50 of the lesion detector on real test photos": self.map50}


ALL = "all"
"""Every class of faces, or every kind of lesion."""


@dataclass(frozen=True, slots=True)
class LesionDistances:
    """Between the lesions of two sets of faces; None where a set has too few.

    count: Wasserstein distance in lesions a face; size: Wasserstein distance, place: energy distance, both in
    percent of the picture's width.
    """

    count: Score | None
    size: Score | None
    place: Score | None


@dataclass(frozen=True, slots=True)
class LesionStatistics:
    """Of one set: mean number of lesions on a face; their median size in percent of the picture's width."""

    faces: int
    count: float | None
    size: float | None


@dataclass(frozen=True, slots=True)
class LesionPart:
    """Lesions of one kind on faces of one class; every distance is to those found on real test faces.

    baseline: real training faces in place of the synthetic ones. detector_error: the true boxes of the test
    faces, or what the detector's own errors amount to; None where no boxes are known.
    """

    synthetic: LesionDistances
    baseline: LesionDistances
    detector_error: LesionDistances | None
    test: LesionStatistics
    train: LesionStatistics
    generated: LesionStatistics
    test_boxes: LesionStatistics | None


@dataclass(frozen=True, slots=True)
class LesionValues:
    """What histograms and maps are drawn from: lesions of each face, their sizes by kind, and their places.

    Sizes and places (x, y) in percent of the picture's width.
    """

    counts: tuple[int, ...]
    sizes: dict[str, tuple[float, ...]]
    places: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class FoundPicture:
    """A face with the boxes found on it (`file` in the run folder), and how many they are."""

    set: Literal["real", "synthetic"]
    label: str | None
    file: str
    found: int


@dataclass(frozen=True)
class LesionFidelityResult(Result):
    """parts: by class of faces, then by kind of lesion, both beginning with `all`."""

    kind = "lesions"

    parts: dict[str, dict[str, LesionPart]]
    real: LesionValues
    synthetic: LesionValues
    pictures: tuple[FoundPicture, ...]
    warnings: tuple[str, ...]

    def headline(self) -> dict[str, Score | None]:
        whole = self.parts[ALL][ALL]
        return {
            "difference in lesions a face, synthetic from real test faces": whole.synthetic.count,
            "difference in lesions a face, other real photos from real test faces": whole.baseline.count,
        }
