"""The audit's findings as tables: attacks by the question they speak to, and how the audit did on itself."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from anonderm.core.records import Scores
from anonderm.publish import charts
from anonderm.publish.blocks import Block, Section, Table, Text, percent
from anonderm.publish.charts import Estimate, number
from anonderm.publish.release.frames import QUESTIONS, Question

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


def worst_first(audit: Scores) -> tuple[Block, ...]:
    """The attacks that get most out of being in training, whatever their question."""
    ranked = sorted(_attacks(audit), key=lambda each: -_excess(each)["value"])
    return (_table("What came nearest to succeeding", ranked[:_WORST]),) if ranked else ()


def _attacks(audit: Scores) -> list[Attack]:
    return list(audit.details.get("attacks", ()))


def _of(asked: Question, audit: Scores) -> list[Attack]:
    """The last question takes what no other one does."""
    named = tuple(name for each in QUESTIONS for name in each.attacks if name)
    if asked.attacks == ("",):
        return [each for each in _attacks(audit) if not each["name"].startswith(named)]
    return [each for each in _attacks(audit) if each["name"].startswith(asked.attacks)]


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


def _drawn(attacks: Sequence[Attack]) -> charts.Chart | None:
    """Rates of people in training beside those of people kept out."""
    rows = []
    for each in [each for each in attacks if each["main"].get("successes") is not None][:_MOST_ROWS_DRAWN]:
        for arm, tone, who in (("main", "synthetic", "in training"), ("control", "real", "kept out")):
            if (values := each[arm]) is not None:
                name = f"{each['matcher']} {each['level']}, {who}"
                rows.append(Estimate(name, values["value"], values["low"], values["high"], tone))
    return charts.intervals("Share of people found", rows, "with 95% interval", within=(0.0, 1.0))


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


def tones(audit: Scores) -> Section | None:
    """Whether a group of skin tone is worse protected than all together."""
    rows = tuple(_tone_rows(audit.details.get("tones")))
    if not rows:
        return None
    lead = "Whether people of one skin tone are found more often than all together."
    columns = ("Skin tone", "Attack", "Gain by training (95% interval)")
    return Section("tones", "By skin tone", lead, (Table("", columns, rows, frozenset(columns[2:])),))


def _tone_rows(told: Any) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for each in told if isinstance(told, list) else ():
        excess = each.get("excess", each)
        numbers = [excess.get(end) for end in ("value", "low", "high")]
        shown = "{} ({} to {})".format(*("?" if value is None else number(value) for value in numbers))
        rows.append((str(each.get("tone", "")), str(each.get("attack", "")), shown))
    return rows


def left_out(audit: Scores) -> Section | None:
    """What could not be tried, and why."""
    told = audit.details.get("left_out", ())
    rows = tuple((str(entry["score"]), str(entry["reason"])) for entry in told)
    if not rows:
        return None
    lead = "What is missing here was not found to be safe: it was not tried."
    return Section("left-out-attacks", "What was not tried", lead, (Table("", ("Left out", "Why"), rows),))
