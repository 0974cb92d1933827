"""The rules of a verdict as tables: failed rules first, all rules in a folded table."""

from __future__ import annotations

from collections.abc import Sequence

from anonderm.core.results.audit import Rule, Verdict
from anonderm.publish.blocks import Block, Section, Table, Text
from anonderm.publish.charts import number

_NUMBERS = ("Value (95% interval)", "Limit")


def rule_blocks(verdict: Verdict | None) -> tuple[Block, ...]:
    if verdict is None or not verdict.rules:
        return (Text("", ("Not part of this audit.",)),)
    failed = verdict.failed
    first = _table("Rules that fail", failed) if failed else Text("", ("Every rule holds.",))
    return (first, _table(f"All {len(verdict.rules)} rules", verdict.rules, folded=True))


def tones(verdict: Verdict) -> Section:
    """Whether people of one skin tone are protected worse than all people together."""
    lead = "Are people of one skin tone re-identified more often than all people together?"
    rules = [rule for rule in verdict.rules if rule.kind == "tone"]
    if not rules:
        text = "Not tested: the skin tone of too few people is known."
        return Section("tones", "By skin tone", lead, (Text("", (text,)),))
    return Section("tones", "By skin tone", lead, (_table("", rules),))


def _table(title: str, rules: Sequence[Rule], folded: bool = False) -> Table:
    rows = tuple(
        (
            rule.name,
            "holds" if rule.passed else "fails",
            number(rule.value) + _interval(rule),
            "" if rule.limit is None else number(rule.limit),
            rule.explanation,
        )
        for rule in rules
    )
    columns = ("Rule", "Outcome", *_NUMBERS, "Explanation")
    return Table(title, columns, rows, frozenset(_NUMBERS), folded=folded)


def _interval(rule: Rule) -> str:
    low, high = rule.low, rule.high
    return "" if low is None or high is None else f" ({number(low)} to {number(high)})"
