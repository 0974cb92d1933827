"""The rules of a verdict: failed rules first, all rules in a folded table."""

from __future__ import annotations

from anonderm.core.results.audit import Verdict
from anonderm.publish.audit_tables import rule_table
from anonderm.publish.blocks import Block, Section, Text


def rule_blocks(verdict: Verdict | None) -> tuple[Block, ...]:
    if verdict is None or not verdict.rules:
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
