"""The audit's findings as tables: rules, attacks by the question they answer, canary recall, matchers."""

from collections.abc import Sequence

from anonderm.core.results.audit import Attack, AuditResult, Verdict
from anonderm.core.results.base import Score
from anonderm.publish import charts
from anonderm.publish.audit_tables import attack_table, canary_table, matcher_table, rule_table
from anonderm.publish.blocks import Block, Charts, Section, Table, Text
from anonderm.publish.charts import Estimate
from anonderm.publish.release.frames import QUESTIONS, WHITE_BOX, Question

_MOST_ROWS_DRAWN = 6
_WORST = 5


def rule_blocks(verdict: Verdict) -> tuple[Block, ...]:
    """Failed rules first, all rules in a folded table."""
    if not verdict.rules:
        return (Text("", ("Not part of this audit.",)),)
    failed = verdict.failed
    first = rule_table("Rules that fail", failed) if failed else Text("", ("Every rule holds.",))
    return (first, rule_table(f"All {len(verdict.rules)} rules", verdict.rules, folded=True))


def tones(verdict: Verdict) -> Section:
    """Whether people of one skin tone are protected worse than all people together."""
    lead = "Are people of one skin tone re-identified more often than all people together?"
    rules = [rule for rule in verdict.rules if rule.kind == "tone"]
    untested = Text("", ("Not tested: the skin tone of too few people is known.",))
    return Section("tones", "By skin tone", lead, (rule_table("", rules) if rules else untested,))


def section_of(question: Question, audit: AuditResult) -> Section:
    """Every attack that answers a question, with its three arms."""
    found = _answering(question, audit)
    untested = Text("", ("Not tested in this audit.",))
    blocks: tuple[Block, ...] = (*_drawn(found), attack_table("", found)) if found else (untested,)
    return Section(question.id, question.title, question.text, blocks)


def white_box(audit: AuditResult) -> tuple[Block, ...]:
    """The attacks that need the weights."""
    found = [each for each in audit.attacks if each.name in WHITE_BOX]
    return (attack_table("White-box attacks", found),) if found else ()


def worst_first(audit: AuditResult) -> tuple[Block, ...]:
    """The attacks with the largest excess; measures that are no share of people are left out."""
    rates = [each for each in audit.attacks if each.is_rate]
    ranked = sorted(rates, key=lambda each: -each.excess.value)
    return (attack_table("The most successful attacks", ranked[:_WORST]),) if ranked else ()


def _answering(question: Question, audit: AuditResult) -> list[Attack]:
    if question.attacks:
        return [each for each in audit.attacks if each.name in question.attacks]
    elsewhere = {*WHITE_BOX, *(name for each in QUESTIONS for name in each.attacks)}
    return [each for each in audit.attacks if each.name not in elsewhere]


def _drawn(attacks: Sequence[Attack]) -> tuple[Charts, ...]:
    """The success rates on members and on non-members."""
    rows = []
    for each in [each for each in attacks if each.is_rate][:_MOST_ROWS_DRAWN]:
        for arm, tone, who in ((each.main, "synthetic", "members"), (each.control, "real", "non-members")):
            if arm is not None:
                name = f"{each.matcher} {each.level}, {who}"
                rows.append(Estimate(name, Score(arm.value, arm.low, arm.high), tone))
    drawn = charts.intervals("Share of people", rows, "with 95% interval", within=(0.0, 1.0))
    return (Charts("Success on members and on non-members", (drawn,)),) if drawn else ()


def canaries(audit: AuditResult) -> Section | None:
    """Canary recall: whether the audit would have found a leak."""
    if not audit.canaries:
        return None
    lead = (
        "An audit that finds nothing is credible only if it would have found a leak. Altered copies of "
        "training photos (canaries) were therefore searched for in the same way, by each matcher and by any "
        "informative one."
    )
    return Section("canaries", "Would this audit find a leak?", lead, (canary_table(audit.canaries),))


def matchers(audit: AuditResult) -> Section | None:
    """The matchers behind the attacks, and their error rates."""
    if not audit.matchers:
        return None
    lead = (
        "Each matcher was first tested on photos of known people: does it separate two photos of one person "
        "(genuine pairs) from photos of two people (impostor pairs)? At the equal error rate, it errs on "
        "both equally often."
    )
    return Section("matchers", "The matchers", lead, (matcher_table(audit.matchers),))


def left_out(audit: AuditResult) -> Section | None:
    """What could not be tested, and why."""
    if not audit.left_out:
        return None
    lead = "What is listed here was not tested; that does not mean it is safe."
    rows = tuple((each.name, each.reason) for each in audit.left_out)
    table = Table("", ("Not tested", "Reason"), rows)
    return Section("left-out-attacks", "What was not tested", lead, (table,))
