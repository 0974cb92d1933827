"""The first screen of the report: the results in a few sentences, the key numbers, and warnings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anonderm.core.faceset import FaceSet
from anonderm.core.results.audit import AuditResult, Rule
from anonderm.core.results.base import Score
from anonderm.core.results.classifier import UtilityResult
from anonderm.core.results.data_mix import DataMixResult
from anonderm.core.results.fidelity import FidelityResult
from anonderm.publish.blocks import interval, percent
from anonderm.publish.charts import number
from anonderm.publish.pipeline import Pipeline
from anonderm.publish.release.gate import reasons_in
from anonderm.publish.sections.privacy import missed_canaries, outcome
from anonderm.publish.sections.utility import TRAINED_ON

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


def summarise(pipeline: Pipeline, unfinished: Sequence[str] = ()) -> Summary:
    """What the runs at hand have numbers for."""
    data_mix, audit = pipeline.result(DataMixResult), pipeline.result(AuditResult)
    utility = pipeline.result(UtilityResult)
    fidelity = pipeline.result(FidelityResult)
    findings = (*_faces(pipeline), *_utility(utility or data_mix), *_fidelity(fidelity), *_privacy(audit))
    numbers = tuple(number for _, numbers in findings for number in numbers)
    warnings = [
        f"The release was refused: {reason}"
        for record in pipeline.refused
        for reason in reasons_in(record.content["error"])
    ]
    warnings += [f"The step {name} is not finished; its results are missing." for name in unfinished]
    warnings += [*_input_warnings(pipeline), *_utility_warnings(utility, data_mix), *_audit_warnings(audit)]
    if left_out := fidelity.left_out if fidelity else ():
        warnings.append(
            f"{len(left_out)} fidelity scores are left out, because there are too few photos for them."
        )
    return Summary(" ".join(sentence for sentence, _ in findings), numbers, tuple(warnings))


_Findings = Iterable[tuple[str, tuple[KeyNumber, ...]]]
"""Each a sentence with its key numbers."""


def _faces(pipeline: Pipeline) -> _Findings:
    if (photos := pipeline.photos) is not None:
        noun = "photos" if pipeline.private else "phantom photos"
        people = "an unknown number of people" if photos.unidentified else f"{photos.people:,} people"
        sentence = f"Input: {len(photos):,} {noun} of {people} ({_counts(photos)})."
        yield sentence, (KeyNumber(f"input {noun}", f"{len(photos):,}", f"of {people}"),)
    if (made := pipeline.synthetic) is not None:
        sentence = f"Output: {len(made):,} synthetic faces ({_counts(made)})."
        yield sentence, (KeyNumber("synthetic faces", f"{len(made):,}", f"in {len(made.labels)} classes"),)


def _counts(faces: FaceSet) -> str:
    counts = faces.label_counts
    named = ", ".join(f"{count:,} {label}" for label, count in counts.items())
    without = len(faces) - sum(counts.values())
    return f"{named}, {without:,} without a class" if without and named else named or "no classes"


def _utility(result: UtilityResult | DataMixResult | None) -> _Findings:
    if result is None:
        return
    trtr, tstr = result.trtr.scores.accuracy, result.tstr.scores.accuracy
    sentence = (
        f"Of {tstr.n:,} real test photos, a classifier trained on synthetic faces alone classifies "
        f"{_with_range(tstr)} correctly; one trained on real photos, {_with_range(trtr)}."
    )
    yield (
        sentence,
        (
            KeyNumber("accuracy on real photos, trained on synthetic", percent(tstr.value), _range(tstr)),
            KeyNumber("accuracy on real photos, trained on real", percent(trtr.value), _range(trtr)),
        ),
    )


def _fidelity(fidelity: FidelityResult | None) -> _Findings:
    whole = next(iter(fidelity.extractors.values())).parts["all"] if fidelity else None
    if whole is None or (distance := whole.synthetic.kernel) is None:
        return
    baseline = whole.baseline.kernel
    sentence = f"The kernel distance of the synthetic faces to real test photos is {number(distance.value)}"
    sentence += f"; that of other real photos is {number(baseline.value)}." if baseline else "."
    beside = f"other real photos: {number(baseline.value)}" if baseline else interval(distance)
    yield sentence, (KeyNumber("kernel distance to real photos", number(distance.value), beside),)


def _privacy(audit: AuditResult | None) -> _Findings:
    if audit is None:
        return
    verdict = audit.images
    result = "passed" if verdict.passed else "failed"
    beside = f"{len(verdict.failed)} of {len(verdict.rules)} rules failed"
    yield f"Privacy: {outcome(audit)}", (KeyNumber("privacy audit of the images", result, beside),)


def _utility_warnings(utility: UtilityResult | None, data_mix: DataMixResult | None) -> Iterable[str]:
    """The warnings of the stages; classes that a classifier never predicts; few test photos."""
    if utility is not None:
        for trained_on, arm in ((TRAINED_ON["trtr"], utility.trtr), (TRAINED_ON["tstr"], utility.tstr)):
            yield from (f"Classifier {trained_on}: {warning}" for warning in arm.warnings)
    if data_mix is not None:
        yield from (f"Data mix: {warning}" for warning in data_mix.warnings)
    if (result := utility or data_mix) is not None:
        confusions = {"trtr": result.trtr.confusion, "tstr": result.tstr.confusion}
        for arm_name, confusion in confusions.items():
            for name in confusion.never_predicted:
                yield f"The classifier {TRAINED_ON[arm_name]} never predicts {name}."
        if (count := result.trtr.scores.accuracy.n) < _FEW_TEST_FACES:
            yield f"There are only {count} real test photos: the accuracies are rough estimates."


def _input_warnings(pipeline: Pipeline) -> list[str]:
    photos = pipeline.photos
    if photos is None or not photos.unidentified:
        return []
    return [
        f"People unknown: of {photos.unidentified:,} of {len(photos):,} photos nothing tells "
        "whether others show the same person, so photos of one person may be both in training and in the "
        "test. Scores on the test photos may be too good, and the audit has no reliable controls."
    ]


def _audit_warnings(audit: AuditResult | None) -> list[str]:
    """What to know before, missed canaries, then the reasons why the images fail."""
    if audit is None:
        return []
    missed = missed_canaries(audit)
    canaries = f"The audit misses too many canaries: {', '.join(missed)}."
    failed = [f"The images fail the privacy audit. {reason}." for reason in _grouped(audit.images.failed)]
    return [*audit.caveats, *([canaries] if missed else []), *failed]


def _grouped(rules: Sequence[Rule]) -> list[str]:
    """The rules that fail for the same reason in one sentence."""
    names: dict[str, list[str]] = {}
    for rule in rules:
        names.setdefault(rule.explanation, []).append(rule.name)
    return [
        f"{of[0]}: {reason}" if len(of) == 1 else f"{len(of)} rules, {reason}: {', '.join(of)}"
        for reason, of in names.items()
    ]


def _with_range(score: Score) -> str:
    return f"{percent(score.value)} ({_range(score)})" if _range(score) else percent(score.value)


def _range(score: Score) -> str:
    return "" if score.low is None or score.high is None else f"{percent(score.low)} to {percent(score.high)}"
