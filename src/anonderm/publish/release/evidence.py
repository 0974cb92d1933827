"""The evidence page and its machine-readable counterpart: what the audit tested and found, and the decision.

evidence.html    for the person who decides, in plain words; no picture of anybody, no external resources
evidence.json    the decision and the verdicts, as `anonderm verify` and other programs read them

Both are made from the audit's result alone. They state what the numbers are evidence of, never that a law is
complied with.
"""

from dataclasses import asdict
from typing import Any

from anonderm import __version__
from anonderm.core.faceset import FaceSet
from anonderm.core.results.audit import AuditResult, Limits, Verdict
from anonderm.publish.blocks import Block, Section, Table, Text
from anonderm.publish.pipeline import Pipeline
from anonderm.publish.release import findings, frames
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.gate import Decision
from anonderm.publish.templates import environment, style


def evidence_page(
    config: ExportConfig, decision: Decision, audit: AuditResult | None, faces: FaceSet, signed: bool
) -> str:
    """HTML; without an audit it states that there is no evidence, and who released the set."""
    template = environment().get_template("evidence.html.jinja")
    return template.render(
        title=config.title,
        style=style(),
        version=__version__,
        digest=faces.digest,
        summary=_summary(audit, len(faces)),
        warnings=[*decision.faults, *(audit.caveats if audit else ())],
        sections=[_decision(decision, audit), *_sections(audit), _signing(signed)],
    )


def evidence_json(
    decision: Decision, audit: AuditResult | None, faces: FaceSet, signed: bool
) -> dict[str, Any]:
    images, weights = (audit.images, audit.weights) if audit else (None, None)
    return {
        "made_with": f"anonderm {__version__}",
        "faces": len(faces),
        "faces_digest": faces.digest,
        "labels": faces.label_counts,
        "signed": signed,
        "decision": {"passed": decision.passed, **asdict(decision)},
        "people": "not_audited" if audit is None else "unknown" if audit.unidentified else "known",
        "verdicts": {"images": _verdict_json(images), "weights": _verdict_json(weights)},
        "limits": asdict(audit.limits) if audit else None,
    }


def _verdict_json(verdict: Verdict | None) -> dict[str, Any] | str:
    if verdict is None:
        return "not_audited"
    return {"passed": verdict.passed, "reasons": verdict.reasons, **asdict(verdict)}


def evidence(pipeline: Pipeline) -> Section | None:
    """The same findings as a section of the report."""
    audit = pipeline.result(AuditResult)
    if audit is None:
        return None
    blocks: list[Block | None] = [Text("", (each,)) for each in audit.caveats]
    blocks += findings.rule_blocks(audit.images)
    for each in _sections(audit):
        blocks += [Text(each.title, (each.lead,)), *each.blocks]
    return Section("evidence", "Evidence for the release decision", _found(audit), tuple(blocks))


def _sections(audit: AuditResult | None) -> tuple[Section, ...]:
    if audit is None:
        return ()
    found = (
        Section("intruder", "The motivated intruder", frames.INTRUDER, findings.worst_first(audit)),
        *(findings.section_of(each, audit) for each in frames.QUESTIONS),
        findings.tones(audit.images),
        findings.matchers(audit),
        findings.canaries(audit),
        _weights(audit),
        findings.left_out(audit),
    )
    return tuple(each for each in found if each is not None)


def _summary(audit: AuditResult | None, count: int) -> str:
    opening = f"{count:,} synthetic pictures of faces, drawn by generators trained on photos. "
    if audit is None:
        return f"{opening}They were not audited: there is no evidence that training subjects cannot be found."
    return opening + _found(audit)


def _found(audit: AuditResult) -> str:
    rules = audit.images.rules
    return (
        f"The audit tested them against {len(rules)} rules set in advance, of which "
        f"{len(rules) - len(audit.images.failed)} hold. It can show that people are recognisable; it cannot "
        "prove that nobody is. Below, members are the people whose photos were used for training, and "
        "non-members are people who were held out of it."
    )


def _decision(decision: Decision, audit: AuditResult | None) -> Section:
    blocks: tuple[Block, ...] = (*_limits(audit), *findings.rule_blocks(audit.images)) if audit else ()
    if decision.passed:
        return Section("decision", "The decision", "Every rule for releasing images holds.", blocks)
    lead = "The audit did not allow this release."
    if override := decision.override:
        lead += " It was overridden by the person named below, who is responsible for the release."
        rows = (("Name", override.name), ("Reason", override.reason), ("Date", override.date))
        blocks = (Table("The audit was overridden", ("", "Statement"), rows), *blocks)
    return Section("decision", "The decision", lead, blocks)


def changed_limits(audit: AuditResult) -> tuple[tuple[str, str, str], ...]:
    """Name, value and default of every limit of the audit that is not the default."""
    used, usual = asdict(audit.limits), asdict(Limits())
    return tuple((name, f"{used[name]:g}", f"{usual[name]:g}") for name in used if used[name] != usual[name])


def _limits(audit: AuditResult | None) -> tuple[Block, ...]:
    rows = changed_limits(audit) if audit else ()
    return (
        (Table("Limits that are not the defaults", ("Limit", "In this audit", "Default"), rows),)
        if rows
        else ()
    )


def _weights(audit: AuditResult) -> Section:
    blocks: tuple[Block, ...] = (Text("", (frames.NO_WEIGHTS,)),)
    if audit.weights:
        blocks = (*findings.rule_blocks(audit.weights), *findings.white_box(audit))
    return Section("weights", "If the weights were released", frames.WEIGHTS, blocks)


def _signing(signed: bool) -> Section:
    lead = "These questions cannot be answered by software; a person answers them before the release."
    marks = "signed (C2PA)" if signed else "not signed"
    marking = f"Every picture is marked as made by a trained algorithm, and {marks}."
    return Section("signing", "What people must decide", lead, (Text("", (*frames.OPEN_QUESTIONS, marking)),))
