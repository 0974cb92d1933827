"""The result of a privacy audit: attacks, canary recall, calibration of the matchers, verdicts."""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from anonderm.core.results.base import LeftOut, Result, Score

Estimate = tuple[float, float, float]
"""A value and its 95% interval."""


@dataclass(frozen=True, slots=True)
class Level:
    """The largest distance at which two faces match, for a target false match rate.

    how: measured; extrapolated (too few pairs for so small a rate: from a normal distribution fitted to the
    median and the lower 16% of the impostor distances); or unreachable: there is no threshold. fmr, fnmr: the
    measured rates, each with its 95% interval over people.
    """

    target_fmr: float
    threshold: float | None
    how: Literal["measured", "extrapolated", "unreachable"]
    fmr: Estimate | None = None
    fnmr: Estimate | None = None


@dataclass(frozen=True, slots=True)
class Calibration:
    """The error rates of one matcher on one set of faces.

    genuine, impostor: number of pairs. genuine_source: photos (several of a person) or copies (altered copies
    of one photo; these give a lower bound of the FNMR, as two photos differ more). uninformative: the reason
    why the matcher cannot be relied on here, or None. curve: [threshold, FMR, FNMR], ascending.
    impostor_spread: median of the impostor distances, and how far their lower 16% lie below it; None without
    impostor pairs.
    """

    matcher: str
    faces: int
    failed_to_enrol: int
    genuine: int
    genuine_people: int
    genuine_source: Literal["photos", "copies"]
    impostor: int
    impostor_people: int
    eer: float | None
    levels: tuple[Level, ...]
    uninformative: str | None
    curve: tuple[Estimate, ...]
    impostor_spread: tuple[float, float] | None

    def extrapolated_threshold(self, fmr: float) -> float | None:
        """The threshold for any rate; None where it would not be above 0."""
        return None if self.impostor_spread is None else extrapolated_threshold(self.impostor_spread, fmr)

    def threshold(self, fmr: float) -> float | None:
        """For a calibrated rate; None where it is unreachable."""
        return next(level.threshold for level in self.levels if level.target_fmr == fmr)


def extrapolated_threshold(spread: tuple[float, float], fmr: float) -> float | None:
    """The quantile of a normal distribution with this `impostor_spread`; None where it is not above 0."""
    threshold = spread[0] + NormalDist().inv_cdf(fmr) * spread[1]
    return threshold if threshold > 0 else None


ANY = "any"
"""In place of a matcher's name: found by at least one informative matcher."""


@dataclass(frozen=True, slots=True)
class Arm:
    """A value with its 95% interval; `successes` of `people` where it is a share of people."""

    value: float
    low: float
    high: float
    people: int
    successes: float | None = None


@dataclass(frozen=True, slots=True)
class Excess:
    """Main minus control (an AUC: minus one half), with its 95% interval.

    lower_bound: one-sided, at 99.9%; above 0, the excess is significant.
    """

    value: float
    low: float
    high: float
    lower_bound: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A real photo and the synthetic face nearest to it: their rows, and in a result their ids.

    file: both side by side, relative to the run folder; empty where it was not saved. Not for publication.
    """

    real: int
    synthetic: int
    distance: float
    real_id: str = ""
    synthetic_id: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack on members (`main`) and on non-members (`control`), and by guessing (`baseline`).

    level: the false match rate or the measure. control and baseline are None where the measure has none.
    threshold: the largest distance that counts as success, where the attack has one.
    """

    name: str
    matcher: str
    level: str
    main: Arm
    control: Arm | None
    baseline: float | None
    excess: Excess
    note: str = ""
    worst: tuple[Pair, ...] = ()
    threshold: float | None = None

    @property
    def key(self) -> str:
        return f"{self.name}[{self.matcher}]/{self.level}"

    @property
    def is_rate(self) -> bool:
        """Whether `main` is a share of people, not another measure."""
        return self.main.successes is not None

    @property
    def score(self) -> Score:
        return Score(self.excess.value, self.excess.low, self.excess.high, self.main.people, False, self.note)


@dataclass(frozen=True, slots=True)
class ToneAttack:
    """An attack within one group of skin tone, or within `all` groups for comparison."""

    tone: str
    attack: Attack


@dataclass(frozen=True)
class Limits:
    """What the rules allow; the defaults are explained in the settings of the audit."""

    min_canary_recall: float = 0.95
    min_people: int = 50
    max_excess: float = 0.3
    max_auc: float = 0.65


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition for a release: `value` (or its upper end) must keep to `limit`.

    about: the alteration of a canary rule, the attack's key, or the skin tone; otherwise empty.
    """

    kind: Literal["matchers", "canary", "people", "attack", "tone"]
    about: str
    name: str
    limit: float | None
    value: float
    low: float | None
    high: float | None
    passed: bool
    explanation: str

    @property
    def score(self) -> Score:
        return Score(self.value, self.low, self.high)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Passed if there are rules and all of them hold."""

    rules: tuple[Rule, ...]

    @property
    def passed(self) -> bool:
        return bool(self.rules) and not self.failed

    @property
    def failed(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if not rule.passed)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it did not pass."""
        return tuple(f"{rule.name}: {rule.explanation}" for rule in self.failed)


@dataclass(frozen=True, slots=True)
class FalseMatches:
    """Non-members who match a member at the strictest threshold.

    pairs_fmr: share of pairs that match, to be compared with the target rate; faces_matched: share of the
    non-members' faces that match any member.
    """

    pairs: int
    pairs_fmr: Estimate
    faces: int
    faces_matched: float


@dataclass(frozen=True, slots=True)
class MatcherCalibration(Calibration):
    """The calibration on the audited people; false_matches: None if no face of one side could be enrolled."""

    false_matches: FalseMatches | None


@dataclass(frozen=True, slots=True)
class CanaryRecall:
    """The share of canaries with one kind of alteration that a matcher, or ANY informative one, found."""

    matcher: str
    alteration: str
    recall: Score


@dataclass(frozen=True, slots=True)
class Repeats:
    """Synthetic faces that show one person, or one picture, several times.

    searched: faces compared; faces: how many of them are not alone, in so many groups; share: of those
    searched, None where none was. largest: ids of the faces of the largest groups. file: a sheet of them,
    relative to the run folder.
    """

    matcher: str
    threshold: float | None
    searched: int
    faces: int
    groups: int
    share: Score | None
    largest: tuple[tuple[str, ...], ...]
    file: str | None


@dataclass(frozen=True, slots=True)
class Side:
    """Members or non-members: numbers of people and of their photos."""

    people: int
    faces: int


@dataclass(frozen=True)
class AuditResult(Result):
    """`synthetic` is the digest of the audited faces; `weights` is None where no weights were given.

    unidentified: real photos of which nothing tells whether others show the same person.
    """

    kind = "audit"

    synthetic: str
    synthetic_faces: int
    members: Side
    non_members: Side
    unidentified: int
    limits: Limits
    images: Verdict
    weights: Verdict | None
    matchers: tuple[MatcherCalibration, ...]
    canaries: tuple[CanaryRecall, ...]
    attacks: tuple[Attack, ...]
    tones: tuple[ToneAttack, ...]
    repeats: tuple[Repeats, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def caveats(self) -> tuple[str, ...]:
        """What a reader must know before any number."""
        if not self.unidentified:
            return ()
        count = self.members.faces + self.non_members.faces
        return (
            f"People unknown: of {self.unidentified:,} of {count:,} photos nothing tells whether others "
            "show the same person. Members may also be among the non-members, who are the controls of every "
            "attack, and then the audit finds less than there is.",
        )

    @property
    def informative(self) -> tuple[str, ...]:
        """Names of the matchers that count."""
        return tuple(each.matcher for each in self.matchers if each.uninformative is None)

    def headline(self) -> dict[str, Score | None]:
        singled_out = self._first("singling_out", "FMR 0.1%")
        return {
            "failed rules of the privacy audit (release of images)": _failed(self.images),
            "training subjects singled out, excess over held-out people": singled_out,
            "membership inference by distance, AUC minus 0.5": self._first("membership", "AUC"),
        }

    def _first(self, name: str, level: str) -> Score | None:
        return next((each.score for each in self.attacks if (each.name, each.level) == (name, level)), None)

    def scores(self) -> dict[str, Score]:
        """Failed rules, canary recall, repeated faces, and the excess of every attack."""
        found = {"failed rules/images": _failed(self.images)}
        if self.weights:
            found["failed rules/weights"] = _failed(self.weights)
        found |= {f"canary_recall[{each.matcher}]/{each.alteration}": each.recall for each in self.canaries}
        found |= {f"repeats[{each.matcher}]": each.share for each in self.repeats if each.share}
        return found | {each.key: each.score for each in self.attacks}


def _failed(verdict: Verdict) -> Score:
    return Score(len(verdict.failed), higher_is_better=False, note=f"of {len(verdict.rules)} rules")
