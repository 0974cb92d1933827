"""The audit's findings as tables: attacks by the question they speak to, and how the audit did on itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from anonderm.core.records import Scores
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Charts, Section, Table, Text, percent
from anonderm.publish.charts import Estimate, number
from anonderm.publish.release.frames import QUESTIONS, WHITE_BOX, Question

_MOST_ROWS_DRAWN = 6
_WORST = 5

Attack = dict[str, Any]


def question(asked: Question, audit: Scores) -> Section:
    """Every attack of a question, its three arms beside each other."""
    found = _of(asked, audit)
    if not found:
        return Section(asked.id, asked.title, asked.text, (Text("", ("Not tried in this audit.",)),))
    chart = _drawn(found)
    return Section(asked.id, asked.title, asked.text, (*((chart,) if chart else ()), _table("", found)))


def white_box(audit: Scores) -> tuple[Block, ...]:
    """The attacks of somebody who has the weights."""
    found = [each for each in _attacks(audit) if each["name"] in WHITE_BOX]
    return (_table("Attacks with the weights in hand", found),) if found else ()


def worst_first(audit: Scores) -> tuple[Block, ...]:
    """The attacks that find most people by their being in training; measures of other units are left out."""
    rates = [each for each in _attacks(audit) if each["main"].get("successes") is not None]
    ranked = sorted(rates, key=lambda each: -_excess(each)["value"])
    return (_table("What came nearest to succeeding", ranked[:_WORST]),) if ranked else ()


def _attacks(audit: Scores) -> list[Attack]:
    return list(audit.details.get("attacks", ()))


def _of(asked: Question, audit: Scores) -> list[Attack]:
    if asked.attacks:
        return [each for each in _attacks(audit) if each["name"] in asked.attacks]
    elsewhere = {*WHITE_BOX, *(name for each in QUESTIONS for name in each.attacks)}
    return [each for each in _attacks(audit) if each["name"] not in elsewhere]


def _excess(attack: Attack) -> dict[str, float]:
    excess: dict[str, float] = attack["excess"]
    return excess


def _table(title: str, attacks: Sequence[Attack]) -> Table:
    rows = tuple(
        (
            _name(each),
            _arm(each["main"]),
            _arm(each["control"]),
            "" if each["baseline"] is None else _value(each["baseline"], each["main"]),
            "{} ({} to {})".format(*(number(_excess(each)[end]) for end in ("value", "low", "high"))),
        )
        for each in attacks
    )
    columns = (
        "Attack",
        "People in training",
        "People kept out",
        "Guessing",
        "Gain by training (95% interval)",
    )
    return Table(title, columns, rows, frozenset(columns[1:]))


def _name(attack: Attack) -> str:
    words = str(attack["name"]).replace("_", " ").replace("-", " ")
    return f"{words} by {attack['matcher']}, {attack['level']}"


def _arm(arm: dict[str, Any] | None) -> str:
    if arm is None:
        return ""
    if arm.get("successes") is None:
        return number(arm["value"])
    return f"{number(arm['successes'])} of {arm['people']:,} ({percent(arm['value'])})"


def _value(value: float, like: dict[str, Any]) -> str:
    return number(value) if like.get("successes") is None else percent(value)


def _drawn(attacks: Sequence[Attack]) -> Charts | None:
    """Rates of people in training beside those of people kept out."""
    rows = []
    for each in [each for each in attacks if each["main"].get("successes") is not None][:_MOST_ROWS_DRAWN]:
        for arm, tone, who in (("main", "synthetic", "in training"), ("control", "real", "kept out")):
            if (values := each[arm]) is not None:
                name = f"{each['matcher']} {each['level']}, {who}"
                rows.append(Estimate(name, values["value"], values["low"], values["high"], tone))
    drawn = charts.intervals("Share of people found", rows, "with 95% interval", within=(0.0, 1.0))
    return Charts("People in training beside people kept out", (drawn,)) if drawn else None


def checks_of_the_audit(audit: Scores) -> Section | None:
    """Leaks that the audit hid for itself, and how many of them it found."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name, score in audit.scores.items():
        if match := re.fullmatch(r"plants_found\[([^]]*)\]/(.+)", name):
            found[match[2]][match[1]] = percent(score.value)
    if not found:
        return None
    matchers = sorted({matcher for by_matcher in found.values() for matcher in by_matcher})
    rows = tuple((plant, *(each.get(name, "") for name in matchers)) for plant, each in found.items())
    lead = (
        "An audit that finds nothing may be blind. So copies of training photos, plain and changed, were "
        "hidden in a copy of the set, and searched for in the same way. Shares that were found:"
    )
    table = Table("Hidden copies found", ("What was hidden", *matchers), rows, frozenset(matchers))
    return Section("self-check", "Does the audit see what it looks for?", lead, (table,))


def matchers(audit: Scores) -> Section | None:
    """With what eyes the attacks looked, and how well these tell people apart."""
    told = audit.details.get("matchers", ())
    every = list(told.values() if isinstance(told, dict) else told)
    if not every:
        return None
    rows = tuple(
        (
            str(each["matcher"]),
            f"{each['genuine']:,} of {each['genuine_people']:,} people",
            f"{each['impostor']:,} of {each['impostor_people']:,} people",
            "" if each["eer"] is None else percent(each["eer"]),
            f"blind, so it counts for nothing: {each['uninformative']}" if each["uninformative"] else "sees",
        )
        for each in every
    )
    lead = (
        "Each matcher was first tried on photos whose people are known: does it tell two photos of one "
        "person from photos of two? The equal error rate is where it errs as often either way."
    )
    columns = ("Matcher", "Pairs of one person", "Pairs of two people", "Equal error rate", "Verdict")
    table = Table("", columns, rows, frozenset({"Equal error rate"}))
    return Section("matchers", "With what eyes", lead, (table,))


def left_out(audit: Scores) -> Section | None:
    """What could not be tried, and why."""
    told = audit.details.get("left_out", ())
    rows = tuple((str(entry["score"]), str(entry["reason"])) for entry in told)
    if not rows:
        return None
    lead = "What is missing here was not found to be safe: it was not tried."
    return Section("left-out-attacks", "What was not tried", lead, (Table("", ("Left out", "Why"), rows),))
