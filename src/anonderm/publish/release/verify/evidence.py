"""evidence.json of a release, read as a stranger's file: every field is checked before any is used."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from anonderm.core.documents import WrongField, as_type, parse_json, read_text
from anonderm.core.errors import InputError
from anonderm.core.results.audit import Limits, Rule
from anonderm.publish.release.gate import Override
from anonderm.publish.release.verify.checks import Fault

FILE = "evidence.json"
_LARGEST = 64 << 20


@dataclass(frozen=True)
class StatedDecision:
    passed: bool
    faults: tuple[str, ...]
    override: Override | None


@dataclass(frozen=True)
class StatedVerdict:
    passed: bool
    reasons: tuple[str, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Verdicts:
    images: StatedVerdict | Literal["not_audited"]
    weights: StatedVerdict | Literal["not_audited"]


@dataclass(frozen=True)
class Evidence:
    """As `evidence_json` writes it."""

    made_with: str
    faces: int
    faces_digest: str
    labels: dict[str, int]
    signed: bool
    decision: StatedDecision
    people: Literal["known", "unknown", "not_audited"]
    verdicts: Verdicts
    limits: Limits | None


def read_evidence(release: Path) -> Evidence | Fault:
    """The evidence, or what is wrong with its file."""
    path = release / FILE
    if not path.exists():
        return Fault(FILE, "is missing")
    try:
        return as_type(Evidence, parse_json(read_text(path, _LARGEST), FILE))
    except InputError as error:
        return Fault(FILE, f"cannot be read ({error.message.removeprefix(f'{FILE}: ').rstrip('.')})")
    except WrongField as error:
        place = error.place or "its content"
        return Fault(FILE, f"is not the evidence of a release: {place} is missing or of a wrong kind")


def faults_of_decision(evidence: Evidence) -> Iterator[Fault]:
    """The verdicts follow from their rules, and either the audit passed, or somebody overrode it."""
    images, decision = evidence.verdicts.images, evidence.decision
    for name in ("images", "weights"):
        verdict = getattr(evidence.verdicts, name)
        if isinstance(verdict, StatedVerdict):
            yield from _faults_of_verdict(name, verdict)
    passed = isinstance(images, StatedVerdict) and images.passed and not decision.faults
    if decision.passed != passed:
        stated = "passed" if decision.passed else "not passed"
        yield Fault(FILE, f"states the decision as {stated}, against the verdict and faults that it states")
    if passed and decision.passed:
        return
    override = decision.override
    if override is None or not all(map(str.strip, (override.name, override.reason, override.date))):
        yield Fault(FILE, "states that the audit did not pass, but not who overrode it and why")
        return
    try:
        date.fromisoformat(override.date)
    except ValueError:
        yield Fault(FILE, f"has the invalid override date {override.date[:40]!r}")


def _faults_of_verdict(name: str, verdict: StatedVerdict) -> Iterator[Fault]:
    failed = [rule for rule in verdict.rules if not rule.passed]
    if verdict.passed != (bool(verdict.rules) and not failed):
        stated = "passed" if verdict.passed else "not passed"
        count = f"{len(failed)} of its {len(verdict.rules)} rules fail"
        yield Fault(FILE, f"states the verdict on {name} as {stated}, but {count}")
    if list(verdict.reasons) != [f"{rule.name}: {rule.explanation}" for rule in failed]:
        yield Fault(FILE, f"gives other reasons for the verdict on {name} than its failed rules")
    for rule in verdict.rules:
        if rule.passed and not _may_pass(rule):
            limit = f"{rule.limit:g}"
            yield Fault(
                FILE, f"states that the rule {rule.name!r} holds, but {rule.value:g} is beyond {limit}"
            )


def _may_pass(rule: Rule) -> bool:
    """Whether the stated numbers allow the rule to hold."""
    if rule.limit is None:
        return True
    if rule.kind in ("matchers", "canary", "people"):
        return rule.value >= rule.limit
    return rule.kind == "tone" or rule.high is None or rule.high <= rule.limit
