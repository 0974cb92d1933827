"""The report's section on privacy: the verdict first, whether the audit can see, what it tried and found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from anonderm.core.records import Scores
from anonderm.core.rundir import RunRecord
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Gallery, Section, Sheet, Table, percent, picture_file
from anonderm.publish.charts import Chart, number
from anonderm.publish.runs import Material

PLANT = re.compile(r"plants_found\[([^]]*)\]/(.+)")
"""The name of the score that says which share of a kind of hidden copy a matcher found."""

_KINDS = {
    "reproduction": "A copy in the set",
    "singling_out": "Singling out",
    "linkability": "Linkability",
    "inference": "Inference of the class",
    "membership": "Membership, by distance",
    "density": "Membership, by density",
    "memorisation": "Memorisation",
    "discriminator": "Membership, by the discriminator",
    "projection": "Membership, by projection",
}
_VERDICTS = {"images": "the images", "weights": "the weights"}
_MOST_PAIRS = 12


def privacy(material: Material) -> Section | None:
    found = material.scored("audit")
    if found is None:
        return None
    record, scores = found
    details = scores.details
    blocks: list[Block] = [_verdict(name, each) for name, each in _verdicts(details).items()]
    blocks += [_plants(scores), *_matchers(details.get("matchers", ()))]
    blocks.append(_attacks(details.get("attacks", ())))
    if material.config.show_real:
        blocks += _pairs(record, details.get("attacks", ()))
    blocks += _repeats(record, details.get("repeats", ()))
    blocks += [*_tones(details.get("tones", ())), *left_out(scores)]
    return Section("privacy", "Privacy", f"{spoken_verdict(scores)} {_LEAD}", tuple(blocks))


_LEAD = (
    "Every attack is run on the people in training and, alike, on people who were kept out of it: only what "
    "it achieves beyond these can come from training. The numbers are evidence for a decision that people "
    "take; they can show that something is wrong, and can't prove that nobody is recognisable."
)


def spoken_verdict(scores: Scores) -> str:
    """In a sentence or two, beginning with whether the audit can see at all."""
    said = []
    if missed := missed_copies(scores):
        said.append(f"This audit misses copies that were hidden for it to find ({', '.join(missed)}).")
    for name, verdict in _verdicts(scores.details).items():
        failed = sum(not rule["passed"] for rule in verdict["rules"])
        outcome = f"fails {failed} of {len(verdict['rules'])} rules" if failed else "keeps every rule"
        said.append(f"Releasing {_VERDICTS[name]} {outcome}.")
    return " ".join(said)


def missed_copies(scores: Scores) -> list[str]:
    """The kinds of hidden copies that too few were found of, by the rules of the verdict on images."""
    rules = _verdicts(scores.details).get("images", {"rules": []})["rules"]
    prefix = "hidden copies found: "
    return [
        f"{rule['rule'].removeprefix(prefix)}: {percent(rule['value'])} found"
        for rule in rules
        if rule["rule"].startswith(prefix) and not rule["passed"]
    ]


def _verdicts(details: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Those that there are: weights may not have been tried."""
    return {name: each for name, each in details.get("verdicts", {}).items() if isinstance(each, dict)}


def _verdict(name: str, verdict: dict[str, Any]) -> Table:
    rows = tuple(
        (
            rule["rule"],
            "passed" if rule["passed"] else "failed",
            number(rule["value"]),
            _range(rule),
            "" if rule["limit"] is None else number(rule["limit"]),
            rule["why"],
        )
        for rule in sorted(verdict["rules"], key=lambda rule: rule["passed"])
    )
    outcome = "passed" if verdict["passed"] else "failed"
    columns = ("Rule", "Outcome", "Value", "95% interval", "Limit", "Why")
    numeric = frozenset({"Value", "95% interval", "Limit"})
    return Table(f"Verdict on releasing {_VERDICTS[name]}: {outcome}", columns, rows, numeric)


def _range(measured: dict[str, Any]) -> str:
    low, high = measured.get("low"), measured.get("high")
    return "" if low is None or high is None else f"{number(low)} to {number(high)}"


def _plants(scores: Scores) -> Table:
    """A row a kind of hidden copy, a column a matcher: whether the audit finds what it hid itself."""
    named = ((PLANT.fullmatch(name), score) for name, score in scores.scores.items())
    shares = {match.groups(): score for match, score in named if match}
    matchers = list(dict.fromkeys(matcher for matcher, _ in shares))
    changes = list(dict.fromkeys(change for _, change in shares))
    rows = tuple(
        (change, *(percent(shares[m, change].value) if (m, change) in shares else "" for m in matchers))
        for change in changes
    )
    caption = "Altered copies of training photos, hidden in a copy of the set, and the share that was found."
    columns = ("Hidden", *matchers)
    return Table("Hidden copies found", columns, rows, frozenset(matchers), caption)


def _attacks(attacks: Sequence[dict[str, Any]]) -> Table:
    rows = tuple((*_row(each), each["note"]) for each in attacks)
    return Table("Attacks", (*_COLUMNS, "What"), rows, _NUMERIC)


def _tones(told: Sequence[dict[str, Any]]) -> list[Table]:
    rows = tuple((each["tone"], *_row(each)) for each in told)
    return [Table("Attacks by skin tone", ("Skin", *_COLUMNS), rows, _NUMERIC, folded=True)] if rows else []


_COLUMNS = ("Attack", "By", "Level", "In training", "Kept out", "Guessing", "Excess", "95% interval")
_NUMERIC = frozenset(_COLUMNS[3:])


def _row(attack: dict[str, Any]) -> tuple[str, ...]:
    return (
        _KINDS.get(attack["name"], attack["name"]),
        attack["matcher"],
        attack["level"],
        _arm(attack["main"]),
        _arm(attack["control"]),
        "" if attack["baseline"] is None else number(attack["baseline"]),
        number(attack["excess"]["value"]),
        _range(attack["excess"]),
    )


def _arm(arm: dict[str, Any] | None) -> str:
    if arm is None:
        return ""
    successes = arm["successes"]
    of = "" if successes is None else f" ({number(successes)} of {arm['people']:,})"
    return f"{number(arm['value'])}{of}"


def _matchers(matchers: Sequence[dict[str, Any]]) -> list[Block]:
    """How often each matcher errs on the user's own photos, by distance."""
    drawn = tuple(chart for each in matchers if (chart := _curve(each)))
    return [Charts("What each matcher is worth on these photos", drawn)] if drawn else []


def _curve(calibration: dict[str, Any]) -> Chart | None:
    series = {
        "strangers taken for one (FMR)": [(at, fmr) for at, fmr, _ in calibration["curve"]],
        "one taken for two (FNMR)": [(at, fnmr) for at, _, fnmr in calibration["curve"]],
    }
    blind, error = calibration["uninformative"], calibration["eer"]
    told = [f"Blind, and counts for nothing: {blind}."] if blind else [f"Equal error rate {percent(error)}."]
    told.append(f"{calibration['genuine']:,} pairs of one person, {calibration['impostor']:,} of two.")
    if calibration["genuine_source"] == "copies":
        told.append("Pairs of one are altered copies of one photo: the floor, as other photos differ more.")
    if calibration["failed_to_enrol"]:
        told.append(f"No face is found on {calibration['failed_to_enrol']:,} pictures.")
    return charts.lines(calibration["matcher"], series, "distance", " ".join(told))


def _pairs(record: RunRecord, attacks: Sequence[dict[str, Any]]) -> list[Block]:
    """The worst cases, once each: they show real people."""
    by_file: dict[str, list[str]] = {}
    for each in attacks:
        for case in each.get("worst", ()):
            what = f"{_KINDS[each['name']]} by {each['matcher']}: {number(case['distance'])}"
            by_file.setdefault(case["file"], []).append(what)
    alt = "synthetic face, and right of it the photo that it comes nearest to"
    found = [(said, picture_file(record.folder / file, alt, 320)) for file, said in by_file.items()]
    shown = [(said, picture) for said, picture in found if picture][:_MOST_PAIRS]
    cards = tuple((picture,) for _, picture in shown)
    captions = tuple("; ".join(dict.fromkeys(said)) for said, _ in shown)
    caption = "Left synthetic, right the training photo nearest to it. Is it the same person?"
    return [Gallery("Worst cases", cards, "", captions, caption)] if cards else []


def _repeats(record: RunRecord, repeats: Sequence[dict[str, Any]]) -> list[Block]:
    """Synthetic faces of one and the same look, a sheet a matcher."""
    blocks: list[Block] = []
    for each in repeats:
        if not each.get("file"):
            continue
        many = f"{each['faces']:,} in {each['groups']:,} groups"
        title = f"Synthetic faces that repeat ({each['matcher']}): {many}"
        picture = picture_file(
            record.folder / each["file"], "sheet of synthetic faces that repeat, a group a row", 1200
        )
        blocks += [Sheet(title, picture)] if picture else []
    return blocks


def left_out(scores: Scores) -> list[Block]:
    rows = tuple((entry["score"], entry["reason"]) for entry in scores.details.get("left_out", ()))
    return [Table("Scores left out", ("Score", "Reason"), rows, folded=True)] if rows else []
