"""The stage `audit-screen`: audits of the faces before and after `screen --privacy`, side by side.

before/       run folder of the audit of the faces that were screened
after/        run folder of the audit of the faces that remained; `export` accepts it for them
results.json  the comparison

The second audit is of selected faces. That none of them matches a training subject, by a matcher and
threshold that selected them, holds by construction and is no finding. Nothing was rejected for resembling a
non-member, so the excess over non-members turns negative. What the second audit can show is what the filter
did not use: other matchers and looser thresholds. The filter also leaves a trace: faces are missing around
training subjects, and whoever knows of the filter can infer membership from the gap.
"""

import dataclasses
from pathlib import Path
from typing import cast

from anonderm.audit.config import AuditConfig
from anonderm.core.errors import InputError
from anonderm.core.faceset import FaceSet
from anonderm.core.results import privacy_screen
from anonderm.core.results.audit import Attack, AuditResult
from anonderm.core.results.base import FILE
from anonderm.core.results.privacy_screen import Comparison, PrivacyScreen, ScreenAudit
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.embeddings.matchers.matcher import MatcherName
from anonderm.stages import STAGES, run_stage

BEFORE, AFTER = "before", "after"


def audit_screen(
    config: AuditConfig, faces: FaceSet, screen: RunRecord, real: FaceSet, run: RunDir
) -> ScreenAudit:
    """Audit the faces given to `screen --privacy` and those that it kept, and compare.

    The audits also use every matcher of the screen. Raises InputError for faces that it did not screen.
    """
    if screen.content["inputs"].get("faces") != faces.digest:
        raise InputError(
            f"{screen.folder}: this run did not screen {faces.folder}.", "Give the faces it screened."
        )
    record = PrivacyScreen.load(screen.folder / privacy_screen.FILE)
    names = dict.fromkeys((*config.matchers, *(each.matcher for each in record.matchers)))
    settings = dataclasses.replace(config, matchers=cast(tuple[MatcherName, ...], tuple(names)))
    run.log(f"{BEFORE}/: audit of the faces that were screened")
    inputs = {"synthetic": faces.folder, "real": real.folder}
    before = _audit(settings, inputs, run.folder / BEFORE)
    run.log(f"{AFTER}/: audit of the faces that remained")
    inputs |= {"synthetic": screen.folder / "faces", "screen": screen.folder}
    after = _audit(settings, inputs, run.folder / AFTER)
    result = compare(before, after, record)
    for line in lines(result):
        run.log(line)
    return result


def _audit(config: AuditConfig, inputs: dict[str, Path], out: Path) -> AuditResult:
    """The result of an audit in a run folder of its own: skipped if done, resumed if cut short."""
    record = run_stage(STAGES["audit"], config, inputs, out)
    return AuditResult.load(record.folder / FILE)


def compare(before: AuditResult, after: AuditResult, screen: PrivacyScreen) -> ScreenAudit:
    """The attacks of matchers that are informative in both audits, before and after."""
    informative = set(before.informative) & set(after.informative)
    earlier = {each.key: dataclasses.replace(each, worst=()) for each in before.attacks}
    found = [
        dataclasses.replace(each, worst=())  # the worst pairs are in the results of the audit itself
        for each in after.attacks
        if each.key in earlier and each.matcher in informative
    ]
    comparisons = tuple(Comparison(earlier[each.key], each, _by_construction(each, screen)) for each in found)
    independent = {each.matcher for each in found} - set(screen.informative)
    return ScreenAudit(
        before_passed=before.images.passed,
        after_passed=after.images.passed,
        independent_matchers=tuple(sorted(independent)),
        caveat=screen.caveat,
        comparisons=comparisons,
    )


def _by_construction(attack: Attack, screen: PrivacyScreen) -> bool:
    """Whether the attack singles out at a threshold not above the one by which its matcher selected faces."""
    if attack.name != "singling_out" or attack.threshold is None:
        return False
    limits = [each.threshold for each in screen.matchers if each.matcher == attack.matcher]
    return any(limit is not None and attack.threshold <= limit for limit in limits)


def lines(result: ScreenAudit) -> list[str]:
    """The log's summary: singling out by every matcher, the trace of the filter, and both verdicts."""
    summary = []
    for each in (each for each in result.comparisons if each.after.name == "singling_out"):
        text = f"singled out by {each.after.matcher} at {each.after.level}: before {_rates(each.before)}"
        text += f"; after {_rates(each.after)}"
        note = " (no member by construction: the faces that match one were rejected)"
        summary.append(text + (note if each.by_construction else ""))
    if result.caveat and not result.independent_matchers:
        summary.append("every informative matcher selected the faces: none checks the screen independently")
    summary += [
        f"the filter leaves a gap: {each.after.matcher} infers membership from the distance to the remaining "
        f"faces ({each.after.level} {each.after.excess.value:+.2f})"
        for each in result.comparisons
        if each.after.name == "membership" and each.after.excess.high < 0
    ]
    before, after = (
        "passed" if passed else "FAILED" for passed in (result.before_passed, result.after_passed)
    )
    return [*summary, f"release of the images: audit before {before}, after {after}"]


def _rates(attack: Attack) -> str:
    main, control = attack.main, attack.control
    text = f"{main.value:.1%} of {main.people} members"
    return text if control is None else f"{text}, {control.value:.1%} of {control.people} non-members"
