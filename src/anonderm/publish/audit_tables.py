"""Tables of an audit's result, for the report and for the evidence page of a release."""

from collections.abc import Iterable, Sequence

from anonderm.core.results.audit import Arm, Attack, CanaryRecall, MatcherCalibration, Rule, ToneAttack
from anonderm.publish.blocks import Table, percent, value_and_interval
from anonderm.publish.charts import number

ATTACKS = {
    "reproduction": "Reproduction",
    "singling_out": "Singling out",
    "linkability": "Linkability",
    "attribute_inference": "Attribute inference",
    "membership": "Membership, by distance",
    "density": "Membership, by density",
    "memorisation": "Memorisation",
    "discriminator": "Membership, by discriminator",
    "projection": "Membership, by projection",
}

_COLUMNS = ("Attack", "Matcher", "Level", "Members", "Non-members", "Guessing", "Excess (95% interval)")
_NUMERIC = frozenset(_COLUMNS[3:])


def rule_table(title: str, rules: Iterable[Rule], folded: bool = False) -> Table:
    rows = tuple(
        (
            rule.name,
            "holds" if rule.passed else "fails",
            value_and_interval(rule.score),
            "" if rule.limit is None else number(rule.limit),
            rule.explanation,
        )
        for rule in rules
    )
    columns = ("Rule", "Outcome", "Value (95% interval)", "Limit", "Explanation")
    return Table(title, columns, rows, frozenset(columns[2:4]), folded=folded)


def attack_table(title: str, attacks: Iterable[Attack]) -> Table:
    rows = tuple((*_attack(each), each.note) for each in attacks)
    return Table(title, (*_COLUMNS, "Method"), rows, _NUMERIC)


def tone_table(tones: Iterable[ToneAttack]) -> Table:
    rows = tuple((each.tone, *_attack(each.attack)) for each in tones)
    return Table("Attacks by skin tone", ("Skin", *_COLUMNS), rows, _NUMERIC, folded=True)


def _attack(attack: Attack) -> tuple[str, ...]:
    baseline = attack.baseline
    return (
        ATTACKS[attack.name],
        attack.matcher,
        attack.level,
        success(attack.main),
        success(attack.control),
        "" if baseline is None else percent(baseline) if attack.is_rate else number(baseline),
        value_and_interval(attack.score),
    )


def success(arm: Arm | None) -> str:
    """`3 of 40 (7.5%)`, or the value of a measure that is no share of people."""
    if arm is None:
        return ""
    if arm.successes is None:
        return number(arm.value)
    return f"{number(arm.successes)} of {arm.people:,} ({percent(arm.value)})"


def canary_table(canaries: Sequence[CanaryRecall]) -> Table:
    """A row for each alteration, a column for each matcher."""
    matchers = tuple(dict.fromkeys(each.matcher for each in canaries))
    alterations = dict.fromkeys(each.alteration for each in canaries)
    recall = {(each.matcher, each.alteration): percent(each.recall.value) for each in canaries}
    rows = tuple((name, *(recall.get((matcher, name), "") for matcher in matchers)) for name in alterations)
    caption = "Altered copies of training photos, searched for among the faces, and the share that was found."
    return Table("Canary recall", ("Alteration", *matchers), rows, frozenset(matchers), caption)


def matcher_table(matchers: Iterable[MatcherCalibration]) -> Table:
    rows = tuple(
        (
            each.matcher,
            f"{each.genuine:,} of {each.genuine_people:,} people",
            f"{each.impostor:,} of {each.impostor_people:,} people",
            "" if each.eer is None else percent(each.eer),
            f"uninformative, does not count: {each.uninformative}" if each.uninformative else "informative",
        )
        for each in matchers
    )
    columns = ("Matcher", "Genuine pairs", "Impostor pairs", "Equal error rate", "Outcome")
    return Table("", columns, rows, frozenset({"Equal error rate"}))
