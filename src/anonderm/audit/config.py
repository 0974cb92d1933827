"""Settings of the privacy audit."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from anonderm.core.config import Count, Whole, check_bounds
from anonderm.core.results.audit import Limits
from anonderm.embeddings.matchers.matcher import MatcherName, check_matchers

AtLeast20 = Annotated[int, Ge(20), Le(100_000)]


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """Attack the synthetic faces: can training subjects be re-identified more often than held-out controls?

    There are two verdicts: whether the images may be released, and whether the weights may. Both are evidence
    for a human decision.
    """

    matchers: tuple[MatcherName, ...] = ("dlib", "sface", "copy", "encoder")
    """Matchers that decide whether two faces are the same: dlib (person; extra `faces`), sface (person;
    `anonderm weights fetch sface`), arcface (person; --arcface), copy (altered copies of one picture),
    encoder (drawn faces). One that is not installed is reported as left out."""
    arcface: str = "arcface-onnx"
    """The network of `arcface`: your ONNX file (112 x 112 input, one embedding per face), or registered
    weights."""
    canaries: AtLeast20 = 40
    """Training faces whose altered copies serve as canaries: the audit must find them to be credible."""
    min_canary_recall: Annotated[float, Gt(0), Le(1)] = Limits.min_canary_recall
    """Share of each kind of canary that the audit must find. Not 1: of 40 canaries, two may be pictures
    without features."""
    min_people: AtLeast20 = Limits.min_people
    """Non-members needed. If none of 50 people is within some distance, up to 6% of all people may be; with
    fewer, copies cannot be distinguished from chance matches."""
    max_excess: Annotated[float, Gt(0), Lt(1)] = Limits.max_excess
    """Largest excess of an attack's success on members over non-members (upper end of the 95% interval) that
    passes, even if it is not significant. 50 non-members can exclude 0.3 where half succeed by chance; with
    more people, lower it."""
    max_auc: Annotated[float, Gt(0.5), Lt(1)] = Limits.max_auc
    """Largest AUC of a membership attack (upper end of the 95% interval) that passes; 0.5 is guessing. 50
    non-members can exclude 0.65; copies give more than 0.8."""
    projected: AtLeast20 = 48
    """Number of members, and of non-members, whose photo is projected into w if generators are given; takes
    seconds per photo."""
    projection_steps: Count = 100
    """Steps of a projection, the same for members and non-members."""
    pairs: Whole = 8
    """Worst cases of each attack to save as pictures: the photo beside the nearest synthetic face."""
    seed: Whole = 0
    """Fixes the canaries, and how people are drawn and resampled."""

    @property
    def limits(self) -> Limits:
        return Limits(self.min_canary_recall, self.min_people, self.max_excess, self.max_auc)

    def __post_init__(self) -> None:
        check_bounds(self)
        check_matchers(self.matchers)
