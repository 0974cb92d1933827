"""The report's section on privacy: verdicts, canary recall, matchers, attacks, privacy screen."""

from collections.abc import Callable, Sequence

from anonderm.core.results.audit import Attack, AuditResult, MatcherCalibration, Repeats, Verdict
from anonderm.core.results.privacy_screen import Comparison, ScreenAudit
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.audit_tables import ATTACKS, attack_table, canary_table, rule_table, success, tone_table
from anonderm.publish.blocks import (
    Block,
    Gallery,
    Section,
    Sheet,
    Table,
    Text,
    charts_block,
    gallery,
    left_out_table,
    percent,
    sheet,
)
from anonderm.publish.charts import Chart, number
from anonderm.publish.pipeline import Pipeline

_MOST_PAIRS = 12


def privacy(pipeline: Pipeline) -> Section:
    found = pipeline.last(AuditResult)
    screen = pipeline.result(ScreenAudit)
    screened = _screen(screen) if screen else []
    if found is None:
        return Section("privacy", "Privacy", "", screened)
    record, audit = found
    blocks = [
        *(
            rule_table(
                f"Verdict on releasing the {name}: {'passed' if verdict.passed else 'failed'}",
                sorted(verdict.rules, key=lambda rule: rule.passed),
            )
            for name, verdict in verdicts(audit).items()
        ),
        canary_table(audit.canaries),
        charts_block("Error rates of the matchers on these photos", map(_curve, audit.matchers)),
        attack_table("Attacks", audit.attacks),
        _pairs(record, audit.attacks) if pipeline.config.show_real else None,
        *_repeats(record, audit.repeats),
        tone_table(audit.tones) if audit.tones else None,
        *screened,
        left_out_table(audit.left_out),
    ]
    return Section("privacy", "Privacy", f"{outcome(audit)} {_LEAD}", blocks)


_LEAD = (
    "Every attack is run on members (training subjects) and on non-members (held-out controls); only what it "
    "achieves on members beyond non-members can be due to training. The numbers are evidence for a human "
    "decision: they can show that something is wrong, but they cannot prove that nobody is recognisable."
)


def verdicts(audit: AuditResult) -> dict[str, Verdict]:
    """By what would be released; weights may not have been audited."""
    return {"images": audit.images} | ({"weights": audit.weights} if audit.weights else {})


def outcome(audit: AuditResult) -> str:
    """One sentence for each verdict, preceded by a warning if canaries were missed."""
    sentences = []
    if missed := missed_canaries(audit):
        sentences.append(f"This audit misses too many canaries ({', '.join(missed)}).")
    for name, verdict in verdicts(audit).items():
        failed, rules = len(verdict.failed), len(verdict.rules)
        result = f"{failed} of {rules} rules fail" if failed else f"all {rules} rules hold"
        sentences.append(f"Release of the {name}: {result}.")
    return " ".join(sentences)


def missed_canaries(audit: AuditResult) -> list[str]:
    """The alterations whose canaries were found too rarely."""
    return [
        f"{rule.about}: {percent(rule.value)} found" for rule in audit.images.failed if rule.kind == "canary"
    ]


def _curve(calibration: MatcherCalibration) -> Chart | None:
    """Error rates of a matcher on the photos, by distance."""
    series = {
        "false matches (FMR)": [(at, fmr) for at, fmr, _ in calibration.curve],
        "false non-matches (FNMR)": [(at, fnmr) for at, _, fnmr in calibration.curve],
    }
    reason, eer = calibration.uninformative, calibration.eer
    caption = [f"Uninformative, so it does not count: {reason}."] if reason else []
    caption += [f"Equal error rate {percent(eer)}."] if eer is not None and not reason else []
    caption.append(f"{calibration.genuine:,} genuine and {calibration.impostor:,} impostor pairs.")
    if calibration.genuine_source == "copies":
        caption.append(
            "Genuine pairs are altered copies of one photo: a lower bound of the FNMR, as two photos differ "
            "more."
        )
    if calibration.failed_to_enrol:
        caption.append(f"No face was found in {calibration.failed_to_enrol:,} pictures (failure to enrol).")
    return charts.lines(calibration.matcher, series, "distance", " ".join(caption))


def _pairs(record: RunRecord, attacks: Sequence[Attack]) -> Gallery | None:
    """The worst cases, once each; they show real people."""
    by_file: dict[str, list[str]] = {}
    for each in attacks:
        for pair in (pair for pair in each.worst if pair.file):
            label = f"{ATTACKS[each.name]} by {each.matcher}: {number(pair.distance)}"
            by_file.setdefault(pair.file, []).append(label)
    alt = "synthetic face, and to its right the nearest photo"
    cards = [([(file, alt)], "; ".join(dict.fromkeys(labels))) for file, labels in by_file.items()]
    caption = "Left: synthetic face. Right: the nearest photo. Do they show the same person?"
    return gallery("Worst cases", record.folder, cards[:_MOST_PAIRS], 320, caption=caption)


def _repeats(record: RunRecord, repeats: Sequence[Repeats]) -> list[Sheet | None]:
    """Synthetic faces that show the same person, one sheet for each matcher."""
    alt = "sheet of synthetic faces that repeat, one group in each row"
    return [
        sheet(
            record.folder / each.file,
            f"Repeated faces ({each.matcher}): {each.faces:,} in {each.groups:,} groups",
            1200,
            alt,
        )
        for each in repeats
        if each.file
    ]


def _screen(audit: ScreenAudit) -> list[Block]:
    """Every attack before and after the privacy screen, and what the second audit cannot show."""
    columns = tuple(_SCREEN)
    rows = tuple(tuple(cell(each) for cell in _SCREEN.values()) for each in audit.comparisons)
    table = Table("Before and after the privacy screen", columns, rows, frozenset(columns[3:9]))
    before, after = ("passed" if passed else "failed" for passed in (audit.before_passed, audit.after_passed))
    paragraphs = [f"Audit of the images before the screen: {before}; after it: {after}."]
    paragraphs += [audit.caveat] if audit.caveat else []
    if audit.caveat and not audit.independent_matchers:
        paragraphs += ["Every informative matcher selected the faces: none checks the screen independently."]
    return [table, Text("", tuple(paragraphs))]


_SCREEN: dict[str, Callable[[Comparison], str]] = {
    "Attack": lambda of: ATTACKS[of.after.name],
    "Matcher": lambda of: of.after.matcher,
    "Level": lambda of: of.after.level,
    "Members before": lambda of: success(of.before.main),
    "Members after": lambda of: success(of.after.main),
    "Non-members before": lambda of: success(of.before.control),
    "Non-members after": lambda of: success(of.after.control),
    "Excess before": lambda of: number(of.before.excess.value),
    "Excess after": lambda of: number(of.after.excess.value),
    "Note": lambda of: "by construction" if of.by_construction else "",
}
