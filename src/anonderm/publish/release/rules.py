"""The rules of a verdict as tables: those that do not hold first, all of them behind a click."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from anonderm.core.records import Scores
from anonderm.core.tones import TONES
from anonderm.publish.blocks import Block, Section, Table, Text
from anonderm.publish.charts import number

Rule = dict[str, Any]

_NUMBERS = ("Found (95% interval)", "Limit")
_OF_TONE = re.compile(rf"(?:{'|'.join(TONES)}) skin: .*")


def rules_of(which: str, audit: Scores) -> list[Rule]:
    """The rules of the verdict on `images` or `weights`; none where it was not tried."""
    verdict = audit.details.get("verdicts", {}).get(which)
    return list(verdict.get("rules", ())) if isinstance(verdict, dict) else []


def rule_blocks(which: str, audit: Scores) -> tuple[Block, ...]:
    rules = rules_of(which, audit)
    if not rules:
        return (Text("", ("Not tried in this audit.",)),)
    failed = [rule for rule in rules if not rule["passed"]]
    first = _table("Rules that do not hold", failed) if failed else Text("", ("Every rule holds.",))
    return (first, _table(f"All {len(rules)} rules", rules, folded=True))


def tones(audit: Scores) -> Section:
    """Whether a group of skin tone is worse protected than all together."""
    lead = "Whether people of one skin tone are found more often than all people together."
    rules = [rule for rule in rules_of("images", audit) if _OF_TONE.fullmatch(str(rule["rule"]))]
    if not rules:
        none = "Not tried: the skin tones of too few people are known."
        return Section("tones", "By skin tone", lead, (Text("", (none,)),))
    return Section("tones", "By skin tone", lead, (_table("", rules),))


def _table(title: str, rules: Sequence[Rule], folded: bool = False) -> Table:
    rows = tuple(
        (
            str(rule["rule"]),
            "holds" if rule["passed"] else "does not hold",
            _number(rule.get("value")) + _interval(rule),
            _number(rule.get("limit")),
            str(rule.get("why", "")),
        )
        for rule in rules
    )
    columns = ("Rule", "Outcome", *_NUMBERS, "What that says")
    return Table(title, columns, rows, frozenset(_NUMBERS), folded=folded)


def _number(value: float | None) -> str:
    return "" if value is None else number(value)


def _interval(rule: Rule) -> str:
    low, high = rule.get("low"), rule.get("high")
    return "" if low is None or high is None else f" ({number(low)} to {number(high)})"
