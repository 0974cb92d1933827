"""What `screen --privacy` did, and the audits before and after it side by side."""

from dataclasses import dataclass

from anonderm.core.results.audit import Attack
from anonderm.core.results.base import LeftOut, Result

FILE = "privacy.json"
"""The PrivacyScreen in the run folder of `screen`."""

_CAVEAT = (
    "These faces were selected: every face that {matchers} matched to a training subject at a false match "
    "rate of {fmr:g} was rejected. That these matchers single out nobody at that rate or below holds by "
    "construction, and the selection weakens their other attacks too. A negative excess is a trace of the "
    "filter, not protection."
)


@dataclass(frozen=True, slots=True)
class ScreeningMatcher:
    """What one matcher did: `matched` faces lie within `threshold` of a training subject.

    threshold: None for a matcher that could not be used, and `uninformative` says why. method: measured on
    impostor pairs, or extrapolated from them. non_members_matched: how many photos of held-out people it
    would reject too, of `non_members`.
    """

    matcher: str
    threshold: float | None
    method: str
    uninformative: str | None
    matched: int
    non_members_matched: int
    non_members: int


@dataclass(frozen=True)
class PrivacyScreen(Result):
    """`rejected` counts the faces that matched by any matcher; `left_out` names matchers not installed."""

    kind = "privacy-screen"

    fmr: float
    matchers: tuple[ScreeningMatcher, ...]
    left_out: tuple[LeftOut, ...]
    rejected: int

    @property
    def informative(self) -> tuple[str, ...]:
        """Names of the matchers that selected the faces."""
        return tuple(each.matcher for each in self.matchers if each.threshold is not None)

    @property
    def caveat(self) -> str | None:
        """What an audit of the remaining faces cannot show; None where no matcher was informative."""
        if not self.informative:
            return None
        return _CAVEAT.format(matchers=", ".join(self.informative), fmr=self.fmr)


@dataclass(frozen=True, slots=True)
class Comparison:
    """An attack before and after the screen.

    by_construction: the matcher finds no member after, as it selected by this or a looser threshold.
    """

    before: Attack
    after: Attack
    by_construction: bool


@dataclass(frozen=True)
class ScreenAudit(Result):
    """The attacks of matchers that are informative in both audits, and whether each audit passed."""

    kind = "screen-audit"

    before_passed: bool
    after_passed: bool
    independent_matchers: tuple[str, ...]
    """Matchers that did not select the faces: the only independent check of the screen."""
    caveat: str | None
    comparisons: tuple[Comparison, ...]
