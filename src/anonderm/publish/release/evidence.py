"""The evidence page and its machine-readable twin: what the audit tried, found, and what was decided on it.

evidence.html    for the person who decides, in plain words; shows nobody, refers to nothing outside itself
evidence.json    the decision and the verdicts, as `anonderm verify` and other programs read them

Both read nothing but the audit's Scores, and say what the numbers are evidence of; they never say that a
law is met.
"""

from __future__ import annotations

from typing import Any

from anonderm import __version__
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Scores
from anonderm.publish.blocks import Block, Section, Table, Text
from anonderm.publish.release import frames
from anonderm.publish.release.attacks import (
    checks_of_the_audit,
    left_out,
    matchers,
    question,
    white_box,
    worst_first,
)
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.gate import Decision
from anonderm.publish.release.rules import rule_blocks, rules_of, tones
from anonderm.publish.runs import Material
from anonderm.publish.templates import environment, style


def evidence_page(
    config: ExportConfig, decision: Decision, audit: Scores | None, faces: FaceSet, signed: bool
) -> str:
    """HTML; without an audit it says that there is no evidence, and who released the set."""
    return (
        environment()
        .get_template("evidence.html.jinja")
        .render(
            title=config.title,
            style=style(),
            version=__version__,
            digest=faces.digest,
            summary=_summary(decision, audit, len(faces)),
            warnings=list(decision.faults),
            sections=[_decision(decision, audit), *_sections(audit), _signing(signed)],
        )
    )


def evidence_json(decision: Decision, audit: Scores | None, faces: FaceSet, signed: bool) -> dict[str, Any]:
    verdicts = audit.details.get("verdicts", {}) if audit else {}
    return {
        "made_with": f"anonderm {__version__}",
        "faces": len(faces),
        "faces_digest": faces.digest,
        "labels": faces.label_counts,
        "signed": signed,
        "decision": decision.to_json(),
        "verdicts": {name: verdicts.get(name, "not_tried") for name in ("images", "weights")},
    }


def evidence(material: Material) -> Section | None:
    """The same findings as a section of the report."""
    audit = material.scores("audit")
    if audit is None or "verdicts" not in audit.details:
        return None
    blocks: list[Block] = [*rule_blocks("images", audit)]
    for each in _sections(audit):
        blocks += [Text(each.title, (each.lead,)), *each.blocks]
    return Section("evidence", "Evidence for a steward", _found(audit), tuple(blocks))


def _sections(audit: Scores | None) -> tuple[Section, ...]:
    if audit is None:
        return ()
    found = (
        Section("intruder", "The motivated intruder", frames.INTRUDER, worst_first(audit)),
        *(question(each, audit) for each in frames.QUESTIONS),
        tones(audit),
        matchers(audit),
        checks_of_the_audit(audit),
        _weights(audit),
        left_out(audit),
    )
    return tuple(each for each in found if each is not None)


def _summary(decision: Decision, audit: Scores | None, count: int) -> str:
    opening = f"{count:,} synthetic pictures of faces, drawn by generators that learned from other pictures. "
    if audit is None:
        return f"{opening}Nobody audited them: nothing shows that the people behind them cannot be found."
    return opening + _found(audit)


def _found(audit: Scores) -> str:
    rules = rules_of("images", audit)
    kept = sum(bool(rule["passed"]) for rule in rules)
    return (
        f"The audit held them against {len(rules)} rules stated beforehand, of which {kept} hold. It can "
        "find that people are recognisable; it cannot prove that nobody is."
    )


def _decision(decision: Decision, audit: Scores | None) -> Section:
    blocks: tuple[Block, ...] = rule_blocks("images", audit) if audit else ()
    if decision.passed:
        return Section("decision", "The decision", "Every rule for releasing pictures holds.", blocks)
    lead = "The audit did not allow this release."
    if override := decision.override:
        lead += " A person decided to release the set all the same, and answers for it by name."
        rows = (("Name", override.name), ("Reason", override.reason), ("Date", override.date))
        blocks = (Table("Released against the audit by", ("", "Stated"), rows), *blocks)
    return Section("decision", "The decision", lead, blocks)


def _weights(audit: Scores) -> Section:
    blocks: tuple[Block, ...] = (Text("", (frames.NO_WEIGHTS,)),)
    if rules_of("weights", audit):
        blocks = (*rule_blocks("weights", audit), *white_box(audit))
    return Section("weights", "If the weights were released", frames.WEIGHTS, blocks)


def _signing(signed: bool) -> Section:
    lead = "What a machine says ends here. Before a release, a person answers these."
    marks = "signed as well (C2PA)" if signed else "not signed"
    told = f"Every picture is marked as made by a trained algorithm, and {marks}."
    return Section("signing", "What is left to people", lead, (Text("", (*frames.LEFT_TO_PEOPLE, told)),))
