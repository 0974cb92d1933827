"""The results of skin segmentation: skin tones of a set, and how well a network segments."""

from dataclasses import dataclass

from anonderm.core.results.base import Result, Score

Counts = dict[str, dict[str, int]]
"""Class of the faces -> bin of skin tone -> number of faces."""


@dataclass(frozen=True)
class SkinTones(Result):
    """The skin tones of each class, as the individual typology angle (ITA) in degrees.

    ita: median, 5th and 95th percentile. rank_correlation and error compare the measured ITA with that which
    at least ten faces had before; the error is the median absolute difference. unmeasured: number of faces
    without a tone. little_skin: id of each face with too little skin -> reason.
    """

    kind = "skin-tones"

    ita: dict[str, Score]
    rank_correlation: Score | None
    error: Score | None
    fitzpatrick: Counts
    monk: Counts
    unmeasured: int
    little_skin: dict[str, str]


@dataclass(frozen=True)
class SkinSegmentation(Result):
    """Agreement of a segmentation network with the masks of split `split`, pooled over pixels.

    confusion: pixels by true class (row) and predicted class (column).
    """

    kind = "skin-segmentation"

    split: str
    dice: dict[str, Score]
    mean_dice: Score
    mean_iou: Score
    classes: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
