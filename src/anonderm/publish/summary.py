"""The first screen of the report: what happened, the key numbers, and what to be wary of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anonderm.core.faceset import FaceSet
from anonderm.core.records import Scores
from anonderm.core.results.audit import AuditResult, Rule
from anonderm.core.results.base import Score
from anonderm.core.rundir import RunRecord
from anonderm.publish.blocks import interval, percent
from anonderm.publish.charts import number
from anonderm.publish.headlines import first
from anonderm.publish.privacy import missed_canaries, outcome
from anonderm.publish.release.gate import reasons_in
from anonderm.publish.runs import Material, faces_of
from anonderm.publish.scores import ARMS

_FEW_TEST_FACES = 50


@dataclass(frozen=True)
class KeyNumber:
    name: str
    value: str
    interval: str = ""


@dataclass(frozen=True)
class Summary:
    text: str
    numbers: tuple[KeyNumber, ...]
    warnings: tuple[str, ...]


def summarise(material: Material, unfinished: Sequence[str] = ()) -> Summary:
    """Only what the runs have numbers for is said."""
    matrix, audit = material.scores("evaluate data-mix"), material.result(AuditResult)
    utility = material.scores("evaluate utility") or matrix
    fidelity = material.scores("evaluate fidelity")
    sentences, numbers = _faces(material)
    for found in (_usefulness(utility), _fidelity(fidelity), _privacy(audit)):
        sentences += found[0]
        numbers += found[1]
    warnings = [
        f"The release was refused: {reason}"
        for record in material.refused
        for reason in reasons_in(record.content["error"])
    ]
    warnings += [f"The step {name} is not finished; what it would show is missing." for name in unfinished]
    warnings += _input_warnings(material) + _utility_warnings(utility) + _audit_warnings(audit)
    warnings += [] if matrix is None or matrix is utility else matrix.details["warnings"]
    warnings += _left_out("fidelity", fidelity)
    return Summary(" ".join(sentences), tuple(numbers), tuple(warnings))


_Found = tuple[list[str], list[KeyNumber]]


def _faces(material: Material) -> _Found:
    sentences, numbers = [], []
    if (photos := material.photos) is not None:
        noun = "photos" if material.private else "drawn phantom photos"
        sentences.append(f"{len(photos):,} {noun} of {photos.people:,} people went in ({_counts(photos)}).")
        numbers.append(KeyNumber(f"{noun} in", f"{len(photos):,}", f"of {photos.people:,} people"))
    if (made := material.synthetic) is not None:
        sentences.append(f"{len(made):,} synthetic faces came out ({_counts(made)}).")
        numbers.append(KeyNumber("synthetic faces out", f"{len(made):,}", f"in {len(made.labels)} classes"))
    return sentences, numbers


def _counts(faces: FaceSet) -> str:
    counts = faces.label_counts
    named = ", ".join(f"{count:,} {label}" for label, count in counts.items())
    without = len(faces) - sum(counts.values())
    return f"{named}, {without:,} without a class" if without and named else named or "no classes"


def _usefulness(utility: Scores | None) -> _Found:
    trtr, tstr = first(utility, "trtr/accuracy"), first(utility, "tstr/accuracy")
    if trtr is None or tstr is None:
        return [], []
    sentence = (
        f"A classifier that learned from synthetic faces only is right on {_spoken(tstr)} of {tstr.n:,} real "
        f"test photos of people it never met; one that learned from real photos is right on {_spoken(trtr)}."
    )
    return [sentence], [
        KeyNumber("accuracy on real photos, trained on synthetic", percent(tstr.value), _range(tstr)),
        KeyNumber("accuracy on real photos, trained on real", percent(trtr.value), _range(trtr)),
    ]


def _fidelity(fidelity: Scores | None) -> _Found:
    distance = first(fidelity, r"(?:kid|kernel)\[[^]]*\]/all")
    floor = first(fidelity, r"(?:kid|kernel)\[[^]]*\]/all/floor")
    if distance is None:
        return [], []
    sentence = f"The kernel distance of the synthetic faces to real test photos is {number(distance.value)}"
    sentence += f", where other real photos are at {number(floor.value)}." if floor else "."
    beside = f"other real photos: {number(floor.value)}" if floor else interval(distance)
    return [sentence], [KeyNumber("kernel distance to real photos", number(distance.value), beside)]


def _privacy(audit: AuditResult | None) -> _Found:
    if audit is None:
        return [], []
    verdict = audit.images
    result = "passed" if verdict.passed else "failed"
    beside = f"{len(verdict.failed)} of {len(verdict.rules)} rules failed"
    return [f"Privacy: {outcome(audit)}"], [KeyNumber("privacy audit of the images", result, beside)]


def _utility_warnings(utility: Scores | None) -> list[str]:
    """What the evaluation itself warns of, few test photos, and classes that a classifier never names."""
    if utility is None:
        return []
    found = [_in_words(warning) for warning in utility.details.get("warnings", ())]
    for arm, (label, _) in ARMS.items():
        found += [f"The classifier {label} never says {name}." for name in _never_said(utility, arm)]
    accuracy = first(utility, r"t[rs]tr/accuracy")
    if accuracy is not None and accuracy.n < _FEW_TEST_FACES:
        found.append(f"There are {accuracy.n} real test photos only: the accuracies are rough guesses.")
    return found


def _in_words(warning: str) -> str:
    arm, _, text = warning.partition(": ")
    return f"Classifier {ARMS[arm][0]}: {text}" if arm in ARMS else warning


def _never_said(utility: Scores, arm: str) -> list[str]:
    rows = utility.details.get("confusion", {}).get(arm, [])
    names = utility.details.get("classes", [])
    said = [sum(row[column] for row in rows) for column in range(len(rows))]
    return [name for name, row, count in zip(names, rows, said, strict=False) if sum(row) and not count]


def _left_out(kind: str, scores: Scores | None) -> list[str]:
    left_out = scores.details.get("left_out", []) if scores else []
    if not left_out:
        return []
    return [f"Scores of {kind} that are left out, as the photos are too few for them: {len(left_out)}."]


def _input_warnings(material: Material) -> list[str]:
    if all(_knows_people(record) for record in material.of("ingest")):
        return []
    return [
        "Nothing told which photos show the same person, so each counts as another: photos of one person may "
        "be both in training and in the test."
    ]


def _knows_people(record: RunRecord) -> bool:
    """By a pattern, by the faces, or from the source, which then has several photos of somebody."""
    faces = faces_of(record)
    told = "subjects" in record.config or record.config.get("people") == "faces"
    return told or (faces is not None and faces.people < len(faces))


def _audit_warnings(audit: AuditResult | None) -> list[str]:
    """Missed canaries, then the reasons why the images fail."""
    if audit is None:
        return []
    missed = missed_canaries(audit)
    canaries = f"The audit misses too many canaries: {', '.join(missed)}."
    failed = [f"The images fail the privacy audit. {reason}." for reason in _grouped(audit.images.failed)]
    return ([canaries] if missed else []) + failed


def _grouped(rules: Sequence[Rule]) -> list[str]:
    """The rules that fail for the same reason in one sentence."""
    names: dict[str, list[str]] = {}
    for rule in rules:
        names.setdefault(rule.explanation, []).append(rule.name)
    return [
        f"{of[0]}: {reason}" if len(of) == 1 else f"{len(of)} rules, {reason}: {', '.join(of)}"
        for reason, of in names.items()
    ]


def _spoken(score: Score) -> str:
    return f"{percent(score.value)} ({_range(score)})" if _range(score) else percent(score.value)


def _range(score: Score) -> str:
    return "" if score.low is None or score.high is None else f"{percent(score.low)} to {percent(score.high)}"
