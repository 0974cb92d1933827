"""The audit's findings as tables: attacks by the question that they answer, canary recall, matchers."""

from __future__ import annotations

from collections.abc import Sequence

from anonderm.core.results.audit import Arm, Attack, AuditResult
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Section, Table, Text, percent
from anonderm.publish.charts import Estimate, number
from anonderm.publish.release.frames import QUESTIONS, WHITE_BOX, Question
from anonderm.publish.sections.privacy import canary_rows

_MOST_ROWS_DRAWN = 6
_WORST = 5


def question(asked: Question, audit: AuditResult) -> Section:
    """Every attack that answers a question, with its three arms."""
    found = _answering(asked, audit)
    if not found:
        return Section(asked.id, asked.title, asked.text, (Text("", ("Not tested in this audit.",)),))
    chart = _drawn(found)
    return Section(asked.id, asked.title, asked.text, (*((chart,) if chart else ()), _table("", found)))


def white_box(audit: AuditResult) -> tuple[Block, ...]:
    """The attacks that need the weights."""
    found = [each for each in audit.attacks if each.name in WHITE_BOX]
    return (_table("White-box attacks", found),) if found else ()


def worst_first(audit: AuditResult) -> tuple[Block, ...]:
    """The attacks with the largest excess; measures that are no share of people are left out."""
    rates = [each for each in audit.attacks if each.is_rate]
    ranked = sorted(rates, key=lambda each: -each.excess.value)
    return (_table("The most successful attacks", ranked[:_WORST]),) if ranked else ()


def _answering(asked: Question, audit: AuditResult) -> list[Attack]:
    if asked.attacks:
        return [each for each in audit.attacks if each.name in asked.attacks]
    elsewhere = {*WHITE_BOX, *(name for each in QUESTIONS for name in each.attacks)}
    return [each for each in audit.attacks if each.name not in elsewhere]


def _table(title: str, attacks: Sequence[Attack]) -> Table:
    rows = tuple(
        (
            f"{each.name.replace('_', ' ')} by {each.matcher}, {each.level}",
            _arm(each.main),
            _arm(each.control),
            ""
            if each.baseline is None
            else percent(each.baseline)
            if each.is_rate
            else number(each.baseline),
            f"{number(each.excess.value)} ({number(each.excess.low)} to {number(each.excess.high)})",
        )
        for each in attacks
    )
    columns = ("Attack", "Members", "Non-members", "Guessing", "Excess (95% interval)")
    return Table(title, columns, rows, frozenset(columns[1:]))


def _arm(arm: Arm | None) -> str:
    if arm is None:
        return ""
    if arm.successes is None:
        return number(arm.value)
    return f"{number(arm.successes)} of {arm.people:,} ({percent(arm.value)})"


def _drawn(attacks: Sequence[Attack]) -> Charts | None:
    """The success rates on members and on non-members."""
    rows = []
    for each in [each for each in attacks if each.is_rate][:_MOST_ROWS_DRAWN]:
        for arm, tone, who in ((each.main, "synthetic", "members"), (each.control, "real", "non-members")):
            if arm is not None:
                name = f"{each.matcher} {each.level}, {who}"
                rows.append(Estimate(name, arm.value, arm.low, arm.high, tone))
    drawn = charts.intervals("Share of people", rows, "with 95% interval", within=(0.0, 1.0))
    return Charts("Success on members and on non-members", (drawn,)) if drawn else None


def canaries(audit: AuditResult) -> Section | None:
    """Canary recall: whether the audit would have found a leak."""
    if not audit.canaries:
        return None
    matchers, rows = canary_rows(audit.canaries)
    lead = (
        "An audit that finds nothing is credible only if it would have found a leak. Altered copies of "
        "training photos (canaries) were therefore searched for in the same way. The share that was found, "
        "by each matcher and by any informative one:"
    )
    table = Table("Canary recall", ("Alteration", *matchers), rows, frozenset(matchers))
    return Section("canaries", "Would this audit find a leak?", lead, (table,))


def matchers(audit: AuditResult) -> Section | None:
    """The matchers behind the attacks, and their error rates."""
    if not audit.matchers:
        return None
    rows = tuple(
        (
            each.matcher,
            f"{each.genuine:,} of {each.genuine_people:,} people",
            f"{each.impostor:,} of {each.impostor_people:,} people",
            "" if each.eer is None else percent(each.eer),
            f"uninformative, does not count: {each.uninformative}" if each.uninformative else "informative",
        )
        for each in audit.matchers
    )
    lead = (
        "Each matcher was first tested on photos of known people: does it separate two photos of one person "
        "(genuine pairs) from photos of two people (impostor pairs)? At the equal error rate, it errs on "
        "both equally often."
    )
    columns = ("Matcher", "Genuine pairs", "Impostor pairs", "Equal error rate", "Outcome")
    table = Table("", columns, rows, frozenset({"Equal error rate"}))
    return Section("matchers", "The matchers", lead, (table,))


def left_out(audit: AuditResult) -> Section | None:
    """What could not be tested, and why."""
    rows = tuple((each.name, each.reason) for each in audit.left_out)
    if not rows:
        return None
    lead = "What is listed here was not tested; that does not mean it is safe."
    table = Table("", ("Not tested", "Reason"), rows)
    return Section("left-out-attacks", "What was not tested", lead, (table,))
