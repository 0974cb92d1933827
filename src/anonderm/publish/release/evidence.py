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
from anonderm.publish.blocks import Section, Table, Text
from anonderm.publish.charts import number
from anonderm.publish.material import Material
from anonderm.publish.release import frames
from anonderm.publish.release.attacks import checks_of_the_audit, left_out, question, tones, worst_first
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.gate import Decision
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
    blocks = [
        block
        for each in (_rules("images", "The rules for releasing pictures", audit), *_sections(audit))
        for block in (
            (Text(each.title, (each.lead,)), *each.blocks) if isinstance(each, Section) else (each,)
        )
    ]
    return Section("evidence", "Evidence for a steward", _found(audit), tuple(blocks))


def _sections(audit: Scores | None) -> tuple[Section, ...]:
    if audit is None:
        return ()
    asked = (question(each, audit) for each in frames.QUESTIONS)
    found = (
        Section("intruder", "The motivated intruder", frames.INTRUDER, worst_first(audit)),
        *asked,
        checks_of_the_audit(audit),
        tones(audit),
        _weights(audit),
        left_out(audit),
    )
    return tuple(each for each in found if each is not None)


def _summary(decision: Decision, audit: Scores | None, count: int) -> str:
    opening = (
        f"{count:,} synthetic pictures of faces, learned from photos of people who are not part of the set. "
    )
    if audit is None:
        return (
            opening + "Nobody audited them: there is no evidence that the people behind them cannot be found."
        )
    return opening + _found(audit)


def _found(audit: Scores) -> str:
    verdict = audit.details.get("verdicts", {}).get("images")
    rules = verdict.get("rules", ()) if isinstance(verdict, dict) else ()
    kept = sum(bool(rule.get("passed")) for rule in rules)
    return (
        f"The audit held them against {len(rules)} rules stated beforehand, of which {kept} hold. It shows "
        "what was tried and found; it can find that people are recognisable, and cannot prove that nobody "
        "is."
    )


def _decision(decision: Decision, audit: Scores | None) -> Section:
    if decision.passed:
        lead = "Every rule for releasing pictures holds, so the export went on."
    elif decision.override:
        lead = (
            "The audit did not allow this release. A person decided to release the set all the same, and "
            "answers for it with name, reason and date."
        )
    else:
        lead = "The audit did not allow this release."
    blocks: list[Any] = []
    if decision.override:
        override = decision.override
        rows = (("Name", override.name), ("Reason", override.reason), ("Date", override.date))
        blocks.append(Table("Released against the audit by", ("", "Stated"), rows))
    if audit is not None and (table := _rules("images", "The rules for releasing pictures", audit)):
        blocks.append(table)
    return Section("decision", "The decision", lead, tuple(blocks))


def _rules(which: str, title: str, audit: Scores) -> Table | Text:
    verdict = audit.details.get("verdicts", {}).get(which)
    if not isinstance(verdict, dict):
        return Text(title, ("Not tried.",))
    rows = tuple(
        (
            str(rule["rule"]),
            "holds" if rule["passed"] else "does not hold",
            _number(rule.get("value")) + _interval(rule),
            _number(rule.get("limit")),
            str(rule.get("why", "")),
        )
        for rule in verdict.get("rules", ())
    )
    columns = ("Rule", "Outcome", "Found (95% interval)", "Limit", "Why this limit")
    return Table(title, columns, rows, frozenset({"Found (95% interval)", "Limit"}))


def _number(value: Any) -> str:
    return (
        number(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value or "")
    )


def _interval(rule: dict[str, Any]) -> str:
    low, high = rule.get("low"), rule.get("high")
    return "" if low is None or high is None else f" ({number(low)} to {number(high)})"


def _weights(audit: Scores) -> Section:
    verdict = audit.details.get("verdicts", {}).get("weights")
    said = (
        "The generator's weights were audited too, against someone who has them in hand."
        if isinstance(verdict, dict)
        else "Weights are not part of this release and were not audited: nothing here speaks for giving them."
    )
    table = _rules("weights", "The rules for releasing weights", audit)
    return Section("weights", "If the weights were released", frames.WEIGHTS, (Text("", (said,)), table))


def _signing(signed: bool) -> Section:
    lead = "What a machine says ends here. Before a release, a person answers these."
    marks = "Every picture is marked as made by a trained algorithm" + (
        ", and signed (C2PA)." if signed else "; the pictures are not signed."
    )
    return Section("signing", "What is left to people", lead, (Text("", (*frames.LEFT_TO_PEOPLE, marks)),))
