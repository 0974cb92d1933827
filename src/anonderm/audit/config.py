"""Settings of the privacy audit."""

from __future__ import annotations

from dataclasses import dataclass

from anonderm.core.config import check
from anonderm.embeddings.matchers.names import MatcherName


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """Attack the synthetic faces: can the people in training be found again, beside people kept out of it?

    Two verdicts come of it: whether the images may be released, and whether the weights may. Both are
    evidence for people to decide by.
    """

    matchers: tuple[MatcherName, ...] = ("dlib", "copy", "encoder")
    """Ways to tell whether two faces are one: dlib (the person; extra `faces`), arcface (the person;
    --arcface), copy (the same picture, however altered), encoder (a drawn face). What is not installed is
    left out, and said."""
    arcface: str = "arcface-onnx"
    """The face matcher behind `arcface`: an ONNX file of yours, 112 x 112 in, a row out, or registered
    weights."""
    canaries: int = 40
    """Training faces of which altered copies are hidden in a copy of the set, to see whether the audit finds
    them."""
    min_canary_recall: float = 0.95
    """Share of each kind of hidden copy that the audit has to find, or its silence means nothing. Not 1: of
    40, two may be pictures without features."""
    min_people: int = 50
    """People kept out of training that are needed. Of fewer, none within some distance still allows 6% to be:
    strangers would then be too little known to tell copies from them."""
    max_excess: float = 0.3
    """The verdict fails where an attack may succeed on so many more of the people in training than of those
    kept out (upper end of the 95% interval), even if nothing is shown. 0.3 is what 50 people kept out can
    exclude where half succeed by chance; with more people, ask for less."""
    max_auc: float = 0.65
    """The verdict fails where the area under the curve of a membership attack may reach this (upper end of
    the 95% interval); 0.5 is guessing. 0.65 is what 50 people kept out can exclude; copies give more than
    0.8."""
    projected: int = 48
    """People of either arm whose photo is projected into w, when generators are given: slow, seconds a
    photo."""
    projection_steps: int = 100
    """Steps of a projection; the people in training and those kept out get as many."""
    pairs: int = 8
    """Worst cases to save as pictures, for each attack: the photo beside the synthetic face that betrays
    it."""
    seed: int = 0
    """Fixes which faces are planted, and how people are drawn and resampled."""

    def __post_init__(self) -> None:
        check(len(self.matchers) >= 1, "matchers: name at least one.")
        check(len(set(self.matchers)) == len(self.matchers), "matchers: one is named twice.")
        check(self.canaries >= 20, f"canaries = {self.canaries}: must be at least 20; fewer tell little.")
        check(0 < self.min_canary_recall <= 1, "min_canary_recall must be above 0 and at most 1.")
        check(self.min_people >= 20, f"min_people = {self.min_people}: must be at least 20.")
        check(0 < self.max_excess < 1, f"max_excess = {self.max_excess}: must be above 0 and below 1.")
        check(0.5 < self.max_auc < 1, f"max_auc = {self.max_auc}: must be above 0.5 and below 1.")
        check(self.projected >= 20, f"projected = {self.projected}: must be at least 20.")
        check(self.projection_steps >= 1, f"projection_steps = {self.projection_steps}: must be at least 1.")
        check(self.pairs >= 0, f"pairs = {self.pairs}: must be 0 or more.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")
